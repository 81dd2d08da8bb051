package telemetry

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"robotrader/broker"
	"robotrader/services/event"
)

// Health takes the newest word about the health of the session and of what
// comes over it.
func (m *Metrics) Health(h event.HealthState) { m.health.newest.Store(&h) }

// healthCollector tells the newest health on demand, so that what is over is
// gone from the metrics, and an age is that of the moment of asking.
type healthCollector struct {
	newest atomic.Pointer[event.HealthState]
}

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("trader_health_"+name, help, labels, nil)
}

var (
	healthPart = described("part",
		"1 for the state of each part that stands for itself: the venue, each of its farms, the account's stream.", "part", "kind", "state")
	healthSymbols   = described("symbols", "Wanted symbols by the state of their market data.", "state")
	healthTickAge   = described("tick_age_seconds", "Seconds since the newest bid, ask or trade of a symbol.", "symbol")
	healthAsked     = described("subscriptions_total", "Market data subscriptions made for a symbol in this process's life.", "symbol")
	healthFrameAge  = described("frame_age_seconds", "Seconds since the newest frame of the gateway, of any kind.")
	healthAnswerAge = described("answer_age_seconds", "Seconds since the newest answer to a time request.")
	healthRoundTrip = described("round_trip_seconds", "Round trip of the newest time request.")
	healthMissed    = described("missed", "Time requests in a row that the gateway left unanswered.")
	healthReadOnly  = described("read_only_api", "1 while the gateway's API is known to be read-only (code 321).")
	healthCompeting = described("competing", "1 while another session of this user takes the market data (code 10197).")
	healthFrames    = described("frames", "Frames of this session, by direction.", "direction")
	healthUndecoded = described("undecoded_frames", "Frames of this session that could not be read and were skipped.")
	healthLines     = described("lines", "Market data lines: used, and the limit.", "which")
	healthHistory   = described("history_questions", "Questions for past bars in the last ten minutes: used, and the limit.", "which")

	pacingLimit   = described("pacing_limit", "Messages to the gateway that are allowed in any one second, now.")
	pacingReserve = described("pacing_reserved", "Of them, those that only cancels may use.")
	pacingSent    = described("pacing_sent", "Messages to the gateway in the last second.")
	pacingWaiting = described("pacing_waiting", "Messages that wait for room now.")
	pacingWaited  = described("pacing_waited", "Messages that had to wait, in this process's life.")
	pacingSeconds = described("pacing_waited_seconds", "Seconds that messages waited, in all, in this process's life.")
	pacingLongest = described("pacing_longest_wait_seconds", "Longest wait of a message, in this process's life.")
	pacingRefused = described("pacing_refused", "Messages that found the queue full, in this process's life.")
	pacingHalved  = described("pacing_halved", "1 while the limit is halved because the gateway said that we send too much (code 100).")
)

// Describe implements [prometheus.Collector]. The collector is unchecked: which
// of its metrics there are depends on what is known.
func (c *healthCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c *healthCollector) Collect(out chan<- prometheus.Metric) {
	h := c.newest.Load()
	if h == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	states := map[string]int{"wanted": 0, "live": 0, "delayed": 0, "stale": 0, "closed": 0, "blocked": 0, "lost": 0}
	for _, f := range h.Data {
		states[f.State]++
		out <- prometheus.MustNewConstMetric(healthAsked, prometheus.CounterValue, float64(f.Asked), string(f.Symbol))
		if f.Last != nil {
			gauge(healthTickAge, now.Sub(*f.Last).Seconds(), string(f.Symbol))
		}
	}
	for state, n := range states {
		gauge(healthSymbols, float64(n), state)
	}
	parts := []broker.Part{h.Account}
	if h.Session != nil {
		parts = append(append(parts, h.Session.Venue), h.Session.Farms...)
		session(gauge, h.Session, now)
	}
	seen := map[string]bool{} // a scrape with a series twice fails as a whole
	for _, p := range parts {
		name := valid(p.Name)
		if key := name + "\x00" + p.Kind; p.State != "" && !seen[key] {
			seen[key] = true
			gauge(healthPart, 1, name, p.Kind, p.State)
		}
	}
}

func session(gauge func(*prometheus.Desc, float64, ...string), h *broker.Health, now time.Time) {
	age := func(d *prometheus.Desc, at *time.Time) {
		if at != nil {
			gauge(d, now.Sub(*at).Seconds())
		}
	}
	flag := func(d *prometheus.Desc, at *time.Time) {
		v := 0.0
		if at != nil {
			v = 1
		}
		gauge(d, v)
	}
	age(healthFrameAge, h.LastFrame)
	age(healthAnswerAge, h.LastAnswer)
	if h.RoundTripMS != nil {
		gauge(healthRoundTrip, *h.RoundTripMS/1000)
	}
	gauge(healthMissed, float64(h.Missed))
	flag(healthReadOnly, h.ReadOnlyAPI)
	flag(healthCompeting, h.Competing)
	gauge(healthFrames, float64(h.FramesIn), "in")
	gauge(healthFrames, float64(h.FramesOut), "out")
	gauge(healthUndecoded, float64(h.Undecoded))
	gauge(healthLines, float64(h.Lines.Used), "used")
	gauge(healthLines, float64(h.Lines.Limit), "limit")
	gauge(healthHistory, float64(h.History.Used), "used")
	gauge(healthHistory, float64(h.History.Limit), "limit")
	p := h.Pacing
	gauge(pacingLimit, float64(p.Limit))
	gauge(pacingReserve, float64(p.Reserved))
	gauge(pacingSent, float64(p.Sent))
	gauge(pacingWaiting, float64(p.Waiting))
	gauge(pacingWaited, float64(p.Waited))
	gauge(pacingSeconds, p.WaitedMS/1000)
	gauge(pacingLongest, p.LongestMS/1000)
	gauge(pacingRefused, float64(p.Refused))
	halved := p.HalvedUntil
	if halved != nil && !halved.After(now) {
		halved = nil
	}
	flag(pacingHalved, halved)
}

// valid makes a name from outside fit for a label.
func valid(s string) string { return strings.ToValidUTF8(s, "?") }
