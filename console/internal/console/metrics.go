package console

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

const namespace = "obedio_console"

// metricsServer serves what Prometheus reads.
func (v *Console) metricsServer() *http.Server {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: namespace}),
		rest.BuildInfo(namespace, v.c.Version, runtime.Version()),
		v.api.Rest().Collector(namespace),
		newGauges(v),
	)
	return &http.Server{
		Handler: rest.MetricsHandler(r), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

// gauges read the console's parts whenever somebody asks.
type gauges struct {
	v                                         *Console
	sites, ingested, pending, requests, bytes *prometheus.Desc
	leftOut, heard                            *prometheus.Desc
}

func newGauges(v *Console) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &gauges{
		v:        v,
		sites:    desc("sites", "Sites by the state of their link.", "link_state"),
		ingested: desc("ingest_records_total", "Records, device states and hours of traffic taken from hubs.", "lane"),
		pending:  desc("orders_pending", "Orders of which no end is known."),
		requests: desc("requests_open", "Requests of all sites that nobody has accepted."),
		leftOut:  desc("traffic_left_out_total", "Rows of traffic summaries that broke a rule, or of hours that are not kept."),
		heard:    desc("others_heard", "Whether other consoles on the same store are heard (1) or not (0); absent for a console alone."),
		bytes:    desc("store_bytes", "Size of the store on disk."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.sites, g.ingested, g.pending, g.requests, g.bytes, g.leftOut, g.heard} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	t := g.v.fleet.Totals(func(fleetview.Row) bool { return true })
	for _, s := range fleetview.LinkStates() {
		gauge(g.sites, float64(t.Links[s]), string(s))
	}
	for _, l := range []fleet.Lane{fleet.LaneRequests, fleet.LaneCommands, fleet.LaneState, fleet.LaneRegistry, fleet.LaneSummaries} {
		ch <- prometheus.MustNewConstMetric(g.ingested, prometheus.CounterValue, float64(g.v.link.Ingested(l)), l.String())
	}
	ch <- prometheus.MustNewConstMetric(g.leftOut, prometheus.CounterValue, float64(g.v.link.TrafficLeftOut()))
	gauge(g.pending, float64(t.OrdersPending))
	gauge(g.requests, float64(t.OpenRequests))
	gauge(g.bytes, float64(g.v.store.Bytes()))
	if r := g.v.relay; r != nil {
		heard := 0.0
		if r.Up() {
			heard = 1
		}
		gauge(g.heard, heard)
	}
}
