package hub

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

const namespace = "obedio_hub"

// metricsServer serves what Prometheus reads.
func (h *Hub) metricsServer() *http.Server {
	return &http.Server{
		Handler: rest.MetricsHandler(h.registerMetrics()), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

// writeMetrics writes what Prometheus would read, for the support bundle.
func (h *Hub) writeMetrics(w io.Writer) error {
	families, err := h.registerMetrics().Gather()
	if err != nil {
		return err
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hub) registerMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: namespace}),
		rest.BuildInfo(namespace, h.c.Version, runtime.Version()),
		h.api.Rest().Collector(namespace),
		newGauges(h),
	)
	return r
}

// gauges read the hub's parts whenever somebody asks.
type gauges struct {
	h                                                                                                           *Hub
	connected, messages, dropped, denied, refused, open, devices, battery, bytes, backlog, trusted, free, level *prometheus.Desc
}

func newGauges(h *Hub) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &gauges{
		h:         h,
		connected: desc("mqtt_clients_connected", "MQTT clients with a session and a connection."),
		messages:  desc("mqtt_messages_total", "Application messages.", "direction", "qos", "type"),
		dropped:   desc("mqtt_dropped_total", "Messages that were not delivered or not taken.", "reason"),
		denied:    desc("mqtt_denied_total", "Decisions against a client.", "action"),
		refused:   desc("mqtt_refused_total", "Connections that got no session.", "reason"),
		open:      desc("requests_open", "Requests that nobody has accepted.", "priority"),
		devices:   desc("devices", "Registered devices by presence.", "state"),
		battery:   desc("device_battery_ratio", "Battery of a device, 0 to 1.", "device_id", "type"),
		bytes:     desc("store_bytes", "Size of the store on disk."),
		backlog:   desc("uplink_backlog_records", "Records that the console does not hold yet.", "lane"),
		free:      desc("disk_free_bytes", "What the hub may still take of its disk."),
		level:     desc("disk_level", "1 for the level that the room on the disk allows.", "level"),
		trusted:   desc("clock_trusted", "1 when the hub believes its clock."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		g.connected, g.messages, g.dropped, g.denied, g.refused, g.open, g.devices, g.battery, g.bytes, g.backlog, g.trusted,
		g.free, g.level,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	s := g.h.broker.Stats()
	gauge(g.connected, float64(s.Connected))
	for k, n := range s.Messages {
		count(g.messages, n, k.Direction, strconv.Itoa(int(k.QoS)), k.Type)
	}
	for k, n := range s.Dropped {
		count(g.dropped, n, string(k))
	}
	for k, n := range s.Denied {
		count(g.denied, n, k.String())
	}
	for k, n := range s.Refused {
		count(g.refused, n, string(k))
	}
	if open, err := g.h.store.OpenRequests(); err == nil {
		byPriority := map[fleet.Priority]int{}
		for _, r := range open {
			if r.State == fleet.RequestOpen {
				byPriority[r.Priority]++
			}
		}
		for _, p := range fleet.Priorities() {
			gauge(g.open, float64(byPriority[p]), string(p))
		}
	}
	states := g.h.presence.Counts()
	for _, p := range fleet.Presences() {
		gauge(g.devices, float64(states[p]), string(p))
	}
	if devices, err := g.h.registry.Devices(); err == nil {
		for _, d := range devices {
			if s, ok := g.h.presence.State(d.ID); ok && s.Battery != nil {
				gauge(g.battery, float64(*s.Battery)/100, string(d.ID), string(d.Type))
			}
		}
	}
	gauge(g.bytes, float64(g.h.store.Bytes()))
	if link, err := g.h.uplink.Status(); err == nil {
		for _, l := range link.Lanes {
			gauge(g.backlog, float64(l.Backlog()), l.Lane.String())
		}
	}
	room := g.h.disk.Status()
	gauge(g.free, float64(room.Free))
	for _, l := range disk.Levels() {
		on := 0.0
		if l == room.Level {
			on = 1
		}
		gauge(g.level, on, l.String())
	}
	_, trusted := g.h.c.Clock.Now()
	v := 0.0
	if trusted {
		v = 1
	}
	gauge(g.trusted, v)
}
