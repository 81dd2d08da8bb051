// Package prometheus_test reads the alert rules and the example of a scrape
// configuration with Prometheus' own parsers, and evaluates the most important
// rules on synthetic series. That what they name exists is held by the test of
// the running trader in cmd/start_trader.
package prometheus_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"go.yaml.in/yaml/v3"
)

// rules are those of the file, by name.
func rules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	b, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(b, false)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	all := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if _, twice := all[r.Alert]; twice {
				t.Errorf("rule %s is there twice", r.Alert)
			}
			all[r.Alert] = r
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d rules", len(all))
	}
	return all
}

func TestRulesSayWhatToDo(t *testing.T) {
	for name, r := range rules(t) {
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", name, r.Labels["severity"])
		}
		for _, key := range []string{"summary", "advice"} {
			if len(r.Annotations[key]) < 10 {
				t.Errorf("%s: %s %q", name, key, r.Annotations[key])
			}
		}
		if strings.Contains(r.Expr, "job=") && !strings.Contains(r.Expr, `job="robotrader"`) {
			t.Errorf("%s: %s names another job than the example", name, r.Expr)
		}
	}
}

func TestScrapeExample(t *testing.T) {
	b, err := os.ReadFile("prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The same again with the second job instead of the first, as its comment says.
	for _, text := range []string{string(b), strings.NewReplacer("\n  # - job_name", "\n  - job_name", "\n  #   ", "\n    ").Replace(string(b))} {
		var c struct {
			Rules   []string `yaml:"rule_files"`
			Scrapes []struct {
				Job string `yaml:"job_name"`
			} `yaml:"scrape_configs"`
		}
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		if len(c.Scrapes) == 0 || c.Scrapes[len(c.Scrapes)-1].Job != "robotrader" || !slices.Equal(c.Rules, []string{"alerts.yaml"}) {
			t.Errorf("%+v", c)
		}
	}
}

// TestRulesFire evaluates rules on series with a value a minute.
func TestRulesFire(t *testing.T) {
	all := rules(t)
	type series map[string][]float64
	for _, tt := range []struct {
		rule  string
		given series
		fires bool
	}{
		{"TraderDown", series{`up{job="robotrader",instance="a"}`: {1, 0}}, true},
		{"TraderDown", series{`up{job="robotrader",instance="a"}`: {0, 1}}, false},
		{"TraderNotReady", series{`trader_alarm{name="not_ready"}`: {0, 1}}, true},
		{"TraderNotReady", series{`trader_alarm{name="not_ready"}`: {1, 0}}, false},
		{"TraderNotReadyLong", series{`trader_link_state{state="ready"}`: {0}, `trader_link_state{state="degraded"}`: {0}}, true},
		{"TraderNotReadyLong", series{`trader_link_state{state="ready"}`: {0}, `trader_link_state{state="degraded"}`: {1}}, false},
		{"TraderNeedsRestart", series{`trader_link_state{state="needs_restart"}`: {0, 1}}, true},
		{"TraderNeedsRestart", series{`trader_link_state{state="needs_restart"}`: {0}, `trader_link_state{state="waiting"}`: {1}}, false},
		{"TraderReconcileDifference", series{`trader_reconcile_differences_total{kind="position",explained="false"}`: {0, 0, 1}}, true},
		{"TraderReconcileDifference", series{
			`trader_reconcile_differences_total{kind="position",explained="false"}`: {0, 0, 0},
			`trader_reconcile_differences_total{kind="position",explained="true"}`:  {0, 1, 2},
		}, false},
		{"TraderReconcileDifference", series{`trader_reconcile_differences_total{kind="position",explained="false"}`: {3, 3, 3}}, false}, // long ago
		{"TraderReconcileBlind", series{
			`trader_reconcile_last_look_timestamp_seconds{instance="a",job="b"}`: {-700},
			`trader_link_state{state="ready",instance="a",job="b"}`:              {1},
		}, true},
		{"TraderReconcileBlind", series{
			`trader_reconcile_last_look_timestamp_seconds{instance="a",job="b"}`: {-700},
			`trader_link_state{state="ready",instance="a",job="b"}`:              {0},
		}, false},
		{"TraderReconcileBlind", series{ // not ready, and nobody looked yet
			`trader_link_state{state="ready",instance="a",job="b"}`: {1},
		}, false},
		{"TraderJournalFailing", series{`trader_journal_failed{kind="full"}`: {0, 1}, `trader_journal_failed{kind="disk"}`: {0, 0}}, true},
		{"TraderJournalFailing", series{`trader_journal_failed{kind="full"}`: {1, 0}, `trader_journal_failed{kind="disk"}`: {0, 0}}, false},
		{"TraderJournalSlow", series{
			`trader_journal_commit_seconds_bucket{kind="intent",le="0.1"}`:  {0, 1, 2},
			`trader_journal_commit_seconds_bucket{kind="intent",le="1"}`:    {0, 5, 10},
			`trader_journal_commit_seconds_bucket{kind="intent",le="+Inf"}`: {0, 5, 10},
		}, true},
		{"TraderJournalSlow", series{ // a slow group delays no order
			`trader_journal_commit_seconds_bucket{kind="group",le="0.1"}`:  {0, 1, 2},
			`trader_journal_commit_seconds_bucket{kind="group",le="+Inf"}`: {0, 5, 10},
		}, false},
		{"TraderUncoveredPosition", series{`trader_guard_uncovered_positions`: {0, 1}}, true},
		{"TraderUncoveredPosition", series{`trader_guard_uncovered_positions`: {1, 0}}, false},
		{"TraderUncoveredPosition", series{`trader_books_known`: {1, 1}}, false}, // no stops wanted: absent
		{"TraderOrderOutcomeUnknown", series{`trader_orders{state="unknown"}`: {0, 2}}, true},
		{"TraderOrderOutcomeUnknown", series{`trader_orders{state="working"}`: {2}, `trader_orders{state="unknown"}`: {0}}, false},
		{"TraderBooksUnknown", series{`trader_books_known`: {1, 0}}, true},
		{"TraderRiskNear", series{`trader_risk_use_ratio{limit="max_daily_loss"}`: {0.85}}, true},
		{"TraderRiskNear", series{`trader_risk_use_ratio{limit="max_daily_loss"}`: {1.2}}, false}, // that is the next one
		{"TraderRiskNear", series{`trader_risk_use_ratio{limit="orders_per_minute"}`: {0.9}}, false},
		{"TraderRiskNear", series{`trader_risk_use_ratio{limit="max_position_notional",symbol="AAPL"}`: {0.9}}, false},
		{"TraderRiskHit", series{`trader_risk_use_ratio{limit="max_daily_loss"}`: {1}}, true},
		{"TraderRiskHit", series{`trader_risk_use_ratio{limit="max_position_notional",symbol="AAPL"}`: {1.2}}, false},
		{"TraderRiskSymbolHit", series{`trader_risk_use_ratio{limit="max_position_notional",symbol="AAPL"}`: {1.2}}, true},
		{"TraderRiskSymbolHit", series{`trader_risk_use_ratio{limit="max_position_notional",symbol="AAPL"}`: {1}}, false}, // as large as it may be
		{"TraderRiskLoop", series{`trader_risk_use_ratio{limit="orders_per_minute"}`: {1}}, true},
		{"TraderRiskUnknown", series{`trader_books_known{instance="a",job="b"}`: {1}, `trader_link_state{state="ready",instance="a",job="b"}`: {1}}, true},
		{"TraderRiskUnknown", series{`trader_books_known{instance="a",job="b"}`: {1}, `trader_link_state{state="ready",instance="a",job="b"}`: {0}}, false},
		{"TraderRiskUnknown", series{
			`trader_books_known{instance="a",job="b"}`: {1}, `trader_link_state{state="ready",instance="a",job="b"}`: {1},
			`trader_risk_use_ratio{limit="max_gross_notional",instance="a",job="b"}`: {0.1},
		}, false},
		{"TraderPacing", series{`trader_health_pacing_waiting`: {0}, `trader_health_pacing_halved`: {1}}, true},
		{"TraderPacing", series{`trader_health_pacing_waiting`: {0}, `trader_health_pacing_halved`: {0}}, false},
		{"TraderBusDropped", series{`trader_bus_dropped_total{subscriber="feed",topic="desk.order"}`: {0, 4}}, true},
		{"TraderBusOutsideDown", series{`trader_bus_outside_state{state="up"}`: {0}}, true},
		{"TraderDescriptors", series{`process_open_fds{job="robotrader"}`: {900}, `process_max_fds{job="robotrader"}`: {1024}}, true},
		{"TraderDescriptors", series{`process_open_fds{job="robotrader"}`: {90}, `process_max_fds{job="robotrader"}`: {1024}}, false},
	} {
		r, ok := all[tt.rule]
		if !ok {
			t.Errorf("there is no rule %s", tt.rule)
			continue
		}
		if fired := evaluate(t, r.Expr, tt.given); fired != tt.fires {
			t.Errorf("%s on %v: fires %v, want %v", tt.rule, tt.given, fired, tt.fires)
		}
	}
}

// now is when rules are evaluated; the newest value of each series is from then.
var now = time.Unix(1_700_000_000, 0)

// evaluate reports whether an expression has a result. Values below 0 are times
// before now, seconds.
func evaluate(t *testing.T, expr string, given map[string][]float64) bool {
	t.Helper()
	var list []storage.Series
	for name, values := range given {
		l, err := parser.ParseMetric(name)
		if err != nil {
			t.Fatal(err)
		}
		var samples []chunks.Sample
		for i, v := range values {
			if v < 0 {
				v += float64(now.Unix())
			}
			samples = append(samples, sample{now.Add(-time.Duration(len(values)-1-i) * time.Minute).UnixMilli(), v})
		}
		list = append(list, storage.NewListSeries(l, samples))
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 10_000, Timeout: 10 * time.Second})
	defer engine.Close() //nolint:errcheck // it holds nothing
	data := &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, want ...*labels.Matcher) storage.SeriesSet {
		var found []storage.Series
		for _, s := range list {
			if !slices.ContainsFunc(want, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) }) {
				found = append(found, s)
			}
		}
		return &listed{list: found}
	}}}
	q, err := engine.NewInstantQuery(t.Context(), data, nil, expr, now)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	res := q.Exec(t.Context())
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	v, err := res.Vector()
	if err != nil {
		t.Fatal(err)
	}
	return len(v) > 0
}

// listed is a set of series in memory.
type listed struct {
	list []storage.Series
	at   int
}

func (s *listed) Next() bool                        { s.at++; return s.at <= len(s.list) }
func (s *listed) At() storage.Series                { return s.list[s.at-1] }
func (s *listed) Err() error                        { return nil }
func (s *listed) Warnings() annotations.Annotations { return nil }

// sample is one value of a series.
type sample struct {
	at    int64 // Unix milliseconds
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
