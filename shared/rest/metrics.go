package rest

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/obedio/obedio/shared/account"
)

// counters count answers by class of status and problems by type: what bad
// requests leave behind instead of a line in the log.
type counters struct {
	classes  [6]atomic.Uint64 // 1xx … 5xx at 1 … 5
	problems [len(problemOrder)]atomic.Uint64
}

// problemOrder gives each problem type its counter.
var problemOrder = [...]ProblemType{
	TypeSyntax, TypeInvalid, TypeUnauthenticated, TypeForbidden, TypeCrossOrigin, TypeNotFound,
	TypeMethod, TypeTimeout, TypeExists, TypeState, TypeVersion, TypeExpired, TypeBusy, TypePrecondition,
	TypeTooLarge, TypeMediaType, TypeHost, TypeKeyReused, TypeNeedsMatch, TypeLimit, TypeInternal, TypeUnavailable,
}

func (c *counters) add(status int, p ProblemType) {
	if class := status / 100; class >= 1 && class <= 5 {
		c.classes[class].Add(1)
	}
	if p == "" {
		return
	}
	for i, t := range problemOrder {
		if t == p {
			c.problems[i].Add(1)
			return
		}
	}
}

// Counts are the answers given so far.
type Counts struct {
	// ByClass has "2xx", "3xx" ….
	ByClass map[string]uint64
	// ByProblem has problem types without their prefix: "not-found" ….
	ByProblem map[string]uint64
}

// Counts are the answers given so far.
func (a *API) Counts() Counts {
	c := Counts{ByClass: map[string]uint64{}, ByProblem: map[string]uint64{}}
	for i := 1; i <= 5; i++ {
		c.ByClass[fmt.Sprintf("%dxx", i)] = a.counts.classes[i].Load()
	}
	for i, t := range problemOrder {
		c.ByProblem[string(t[len(problemPrefix):])] = a.counts.problems[i].Load()
	}
	return c
}

// Collector tells Prometheus the Counts and the open streams, under a
// namespace such as "obedio_hub".
func (a *API) Collector(namespace string) prometheus.Collector {
	name := func(s string) string { return prometheus.BuildFQName(namespace, "http", s) }
	return &collector{
		api:      a,
		classes:  prometheus.NewDesc(name("responses_total"), "Answers by class of status.", []string{"class"}, nil),
		problems: prometheus.NewDesc(name("problems_total"), "Problems by type.", []string{"type"}, nil),
		streams:  prometheus.NewDesc(name("streams_open"), "Open event streams.", nil, nil),
	}
}

type collector struct {
	api                        *API
	classes, problems, streams *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.classes
	ch <- c.problems
	ch <- c.streams
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	n := c.api.Counts()
	for class, v := range n.ByClass {
		ch <- prometheus.MustNewConstMetric(c.classes, prometheus.CounterValue, float64(v), class)
	}
	for typ, v := range n.ByProblem {
		ch <- prometheus.MustNewConstMetric(c.problems, prometheus.CounterValue, float64(v), typ)
	}
	ch <- prometheus.MustNewConstMetric(c.streams, prometheus.GaugeValue, float64(c.api.streams.open()))
}

// BuildInfo is the metric {namespace}_build_info with the version as a label.
func BuildInfo(namespace, version, goVersion string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with what was built as labels.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": goVersion},
	}, func() float64 { return 1 })
}

// MetricsHandler serves GET /metrics of g, for a listener of its own.
func MetricsHandler(g prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return mux
}

// ServeMetrics adds GET /metrics to the table, for whoever may read metrics:
// an API token, where there is no listener of its own.
func (a *API) ServeMetrics(g prometheus.Gatherer) {
	h := promhttp.HandlerFor(g, promhttp.HandlerOpts{EnableOpenMetrics: true})
	a.Raw(Route{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Permission: account.MetricsRead,
		Summary: "Metrics for Prometheus", Tags: []string{"system"}, Produces: "text/plain",
	}, func(c *gin.Context) { h.ServeHTTP(c.Writer, c.Request) })
}
