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

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

const namespace = "obedio_hub"

// metricsServer serves what Prometheus reads.
func (h *Hub) metricsServer() *http.Server {
	return &http.Server{
		Handler: rest.MetricsHandler(h.metrics()), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

// writeMetrics writes what Prometheus would read, for the support bundle.
func (h *Hub) writeMetrics(w io.Writer) error {
	families, err := h.metrics().Gather()
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

// metrics is everything that Prometheus reads.
func (h *Hub) metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	h.meters.register(r)
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
	h                                                                                              *Hub
	connected, messages, dropped, denied, refused, open, devices, battery, bytes, backlog, trusted *prometheus.Desc
	limits, ended, sockets, sessions, retained, queued, outbound, wire, panics, bans               *prometheus.Desc
	trafficBytes, trafficRecords, trafficLiveDropped, free, level, alerts                          *prometheus.Desc
	// Under the names that dashboards for the devices' first broker use.
	seedConnected, seedMessages, seedBattery *prometheus.Desc
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
		alerts:    desc("alerts", "Alerts that have not ended.", "severity", "state"),
		free:      desc("disk_free_bytes", "What the hub may still take of its disk."),
		level:     desc("disk_level", "1 for the level that the room on the disk allows.", "level"),
		trusted:   desc("clock_trusted", "1 when the hub believes its clock."),
		limits:    desc("mqtt_limited_total", "Limits that connected clients met.", "limit"),
		ended:     desc("mqtt_connections_ended_total", "Sessions that lost their connection.", "cause"),
		sockets:   desc("mqtt_sockets_open", "Connections, those that have not shown who they are included."),
		sessions:  desc("mqtt_sessions", "Sessions with and without connection."),
		retained:  desc("mqtt_retained_messages", "Retained messages."),
		queued:    desc("mqtt_queued_bytes", "Messages of QoS 1 and 2 in sessions."),
		outbound:  desc("mqtt_outbound_bytes", "What waits for the clients' sockets."),
		wire:      desc("mqtt_bytes_total", "Bytes of MQTT packets.", "direction"),
		panics:    desc("mqtt_panics_total", "Connections that ended by a defect of the program."),
		bans:      desc("mqtt_bans", "Addresses that are not let in after failed sign-ins."),

		seedConnected: prometheus.NewDesc("mqtt_connected_devices_total", "Connected devices.", nil, nil),
		seedMessages: prometheus.NewDesc("mqtt_messages_total", "Application messages, by the first four levels of their topic.",
			[]string{"topic", "direction", "qos"}, nil),
		seedBattery: prometheus.NewDesc("device_battery_percentage", "Battery of a device, 0 to 100.", []string{"device_id", "site", "room"}, nil),

		trafficBytes:       desc("traffic_bytes", "Size of the record of messages on disk."),
		trafficRecords:     desc("traffic_records_total", "Messages that were recorded."),
		trafficLiveDropped: desc("traffic_live_dropped_total", "Messages that readers of the live view did not get."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		g.connected, g.messages, g.dropped, g.denied, g.refused, g.open, g.devices, g.battery, g.bytes, g.backlog, g.trusted,
		g.limits, g.ended, g.sockets, g.sessions, g.retained, g.queued, g.outbound, g.wire, g.panics, g.bans,
		g.seedConnected, g.seedMessages, g.seedBattery,
		g.trafficBytes, g.trafficRecords, g.trafficLiveDropped,
		g.free, g.level, g.alerts,
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
	g.collectMessages(s, count)
	for k, n := range s.Dropped {
		count(g.dropped, n, string(k))
	}
	for k, n := range s.Denied {
		count(g.denied, n, k.String())
	}
	for k, n := range s.Refused {
		count(g.refused, n, string(k))
	}
	for k, n := range s.Limits {
		count(g.limits, n, string(k))
	}
	for k, n := range s.Ended {
		count(g.ended, n, string(k))
	}
	gauge(g.sockets, float64(s.Open))
	gauge(g.sessions, float64(s.Sessions))
	gauge(g.retained, float64(s.Retained))
	gauge(g.queued, float64(s.QueuedBytes))
	gauge(g.outbound, float64(s.OutboundBytes))
	count(g.wire, s.BytesIn, "in")
	count(g.wire, s.BytesOut, "out")
	count(g.panics, s.Panics)
	gauge(g.bans, float64(len(g.h.broker.Bans())))
	gauge(g.seedConnected, float64(s.Connected))
	if open, err := g.h.store.OpenRequests(); err == nil {
		byPriority := map[fleet.Priority]int{}
		for _, r := range open {
			if r.State == fleet.RequestOpen && r.Purpose.ForPeople() {
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
				gauge(g.seedBattery, float64(*s.Battery), string(d.ID), string(g.h.identity.Site), string(d.Room))
			}
		}
	}
	gauge(g.bytes, float64(g.h.store.Bytes()))
	record := g.h.traffic.Totals()
	gauge(g.trafficBytes, float64(g.h.traffic.Bytes()))
	count(g.trafficRecords, record.Records)
	count(g.trafficLiveDropped, record.LiveDropped)
	if link, err := g.h.uplink.Status(); err == nil {
		for _, l := range link.Lanes {
			gauge(g.backlog, float64(l.Backlog()), l.Lane.String())
		}
	}
	alerts := g.h.alerts.Counts()
	for _, severity := range fleet.AlertSeverities() {
		for _, state := range fleet.AlertStates() {
			if !state.Ended() {
				gauge(g.alerts, float64(alerts[alert.Count{Severity: severity, State: state}]), string(severity), string(state))
			}
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
	_, trusted := g.h.clock.Now()
	v := 0.0
	if trusted {
		v = 1
	}
	gauge(g.trusted, v)
}

// collectMessages tells the message counters, once by type of device and once
// by topic.
func (g *gauges) collectMessages(s broker.Stats, count func(*prometheus.Desc, uint64, ...string)) {
	type byType struct {
		direction string
		qos       byte
		kind      string
	}
	type byTopic struct {
		topic, direction string
		qos              byte
	}
	types, topics := map[byType]uint64{}, map[byTopic]uint64{}
	for k, n := range s.Messages {
		types[byType{k.Direction, k.QoS, k.Type}] += n
		topics[byTopic{k.Topic, k.Direction, k.QoS}] += n
	}
	for k, n := range types {
		count(g.messages, n, k.direction, strconv.Itoa(int(k.qos)), k.kind)
	}
	words := map[string]string{"in": "inbound", "out": "outbound"}
	for k, n := range topics {
		count(g.seedMessages, n, k.topic, words[k.direction], strconv.Itoa(int(k.qos)))
	}
}
