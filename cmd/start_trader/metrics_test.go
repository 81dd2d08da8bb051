package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// exposed is what scrapes have shown: the series by name, each with its labels.
type exposed map[string][]map[string]string

// take adds a scrape. The labels that Prometheus itself adds are among those of
// each series.
func (e exposed) take(text string) error {
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return err
	}
	e["up"] = []map[string]string{{"job": "robotrader", "instance": "here"}}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			l := map[string]string{"job": "robotrader", "instance": "here"}
			for _, pair := range m.GetLabel() {
				l[pair.GetName()] = pair.GetValue()
			}
			if m.GetHistogram() != nil {
				bucket := maps.Clone(l)
				bucket["le"] = "+Inf"
				e.add(name+"_bucket", bucket)
			}
			e.add(name, l)
		}
	}
	return nil
}

// add adds a series that is not there yet.
func (e exposed) add(name string, l map[string]string) {
	if !slices.ContainsFunc(e[name], func(s map[string]string) bool { return maps.Equal(s, l) }) {
		e[name] = append(e[name], l)
	}
}

// dashboardVariables stand for what Grafana puts in.
var dashboardVariables = strings.NewReplacer("$__rate_interval", "5m", "$job", "robotrader", "$instance", "here")

// legendLabel finds the labels in a legend or an annotation.
var legendLabel = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)

// asking is one expression with the labels that its words show.
type asking struct {
	where, expr string
	shows       []string
}

func labelsShown(texts ...string) (names []string) {
	for _, s := range texts {
		for _, m := range legendLabel.FindAllStringSubmatch(s, -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// questions are all expressions of the alert rules and of the dashboard.
func questions(t *testing.T) (list []asking) {
	t.Helper()
	deploy := filepath.Join("..", "..", "scripts", "deploy")
	groups, errs := rulefmt.ParseFile(filepath.Join(deploy, "prometheus", "alerts.yaml"), false)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			list = append(list, asking{r.Alert, r.Expr, labelsShown(slices.Collect(maps.Values(r.Annotations))...)})
		}
	}
	b, err := os.ReadFile(filepath.Join(deploy, "grafana", "robotrader.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID         int
			Type       string
			Title      string
			Datasource struct{ UID string }
			Targets    []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Name, Type string }
		}
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	if v := board.Templating.List; len(v) != 3 || v[0].Name != "datasource" || v[0].Type != "datasource" {
		t.Errorf("the dashboard's variables are %+v", v)
	}
	ids := map[int]bool{}
	var rows []string
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("panel id %d is there twice", p.ID)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q asks %q for %d things", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for _, q := range p.Targets {
			list = append(list, asking{"panel " + p.Title, dashboardVariables.Replace(q.Expr), labelsShown(q.LegendFormat)})
		}
	}
	if want := []string{"Is it usable?", "What is it doing?", "Is it safe?", "Is it healthy?"}; !slices.Equal(rows, want) {
		t.Errorf("the rows are %q", rows)
	}
	if len(list) < 80 {
		t.Fatalf("%d expressions", len(list))
	}
	return list
}

// lacks returns what an expression asks for and the scrapes have not shown: a
// series that each of its selectors matches, with the labels that it is grouped
// by or shown with.
func (q asking) lacks(e exposed) (missing []string) {
	root, err := parser.ParseExpr(q.expr)
	if err != nil {
		return []string{q.where + ": " + err.Error()}
	}
	var labelled []string
	parser.Inspect(root, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			labelled = append(labelled, n.Grouping...)
		case *parser.VectorSelector:
			if !slices.ContainsFunc(e[n.Name], func(s map[string]string) bool { return matches(n.LabelMatchers, n.Name, s) }) {
				missing = append(missing, q.where+": "+n.String())
			}
			for _, l := range slices.Concat(labelled, q.shows) {
				if !slices.ContainsFunc(q.names(root), func(name string) bool {
					return slices.ContainsFunc(e[name], func(s map[string]string) bool { _, ok := s[l]; return ok })
				}) {
					missing = append(missing, q.where+": no series of "+q.expr+" has a label "+l)
				}
			}
		}
		return nil
	})
	return missing
}

// names are those of the series that an expression asks for.
func (asking) names(root parser.Expr) (list []string) {
	parser.Inspect(root, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			list = append(list, v.Name)
		}
		return nil
	})
	return list
}

// matches holds a series against matchers. A value that the run has not shown,
// such as a state, must at least be that of a label which the series has.
func matches(want []*labels.Matcher, name string, s map[string]string) bool {
	for _, m := range want {
		if m.Name == labels.MetricName {
			if m.Value != name {
				return false
			}
			continue
		}
		if v, ok := s[m.Name]; !ok || !m.Matches(v) {
			return false
		}
	}
	return true
}

// TestMetricsBeforeTheFirstSession: nobody has told of positions, equity, prices
// or the market's time, so nothing about them has a figure.
func TestMetricsBeforeTheFirstSession(t *testing.T) {
	t.Parallel()
	tr := startTrader(t, "--broker", "ibkr", "--gateway", freeAddr(t), "--headless", "AAPL")
	var text string
	awaits(t, "an attempt that failed", 20*time.Second, func() (string, bool) {
		_, text = get(tr.addr, "/metrics")
		return text, strings.Contains(text, `trader_link_rung_failures_total{rung="tcp"}`) && !strings.Contains(text, `trader_link_rung_failures_total{rung="tcp"} 0`)
	})
	for line := range strings.Lines(text) {
		for _, name := range []string{
			"trader_risk_", "trader_position_", "trader_guard_", "trader_portfolio_", "trader_reconcile_last_look", "trader_health_competing", "trader_health_read_only_api",
			"trader_health_pacing", "trader_health_round_trip", "trader_journal_failed_since", "trader_link_rung_reached_timestamp", "trader_bus_outside", "trader_alert_",
		} {
			if strings.HasPrefix(line, name) {
				t.Errorf("what is not known has a figure: %s", line)
			}
		}
	}
	for _, want := range []string{"trader_books_known 1\n", `trader_link_state{state="ready"} 0`, `trader_mode{mode="active"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
}

// TestMetricsOfARun runs a trader with everything that has metrics switched on.
// Its metrics are as Prometheus wants them, and hold whatever the alert rules
// and the dashboard ask for. Its log leads from a tick to the fill.
func TestMetricsOfARun(t *testing.T) {
	t.Parallel()
	p := newPhone(t)
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("watch observer "+outsidePassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := p.settings(t, "bus:\n  listen: 127.0.0.1:0\n  users_file: "+users+"\n"+
		"desk:\n  reconcile_every: 1s\nrisk:\n  orders_per_minute: 1000\n  off: [duplicate_intent, churn_cooldown]\n")
	tr := startTrader(t, "--config", cfg, "--strategy", "every_tick", "--sim-speed", "5", "--headless", "AAPL")
	awaitsReady(t, tr.addr, 20*time.Second)
	all, seen := questions(t), exposed{}
	var text string
	awaits(t, "what rules and dashboard ask for", 30*time.Second, func() (string, bool) {
		var status int
		if status, text = get(tr.addr, "/metrics"); status != http.StatusOK {
			return fmt.Sprint(status, " ", text), false
		}
		if err := seen.take(text); err != nil {
			t.Fatal(err)
		}
		var missing []string
		for _, q := range all {
			missing = append(missing, q.lacks(seen)...)
		}
		all = slices.DeleteFunc(all, func(q asking) bool { return len(q.lacks(seen)) == 0 })
		return strings.Join(missing, "\n"), len(missing) == 0
	})
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %+v", err, problems)
	}
	for name, list := range seen {
		for _, s := range list {
			for l, v := range s {
				if strings.HasPrefix(v, "DU") || strings.Contains(v, outsidePassword) || strings.Contains(v, hookSecret) || len(v) > 64 {
					t.Errorf("%s{%s=%q} shows an account, a secret or no label's value", name, l, v)
				}
			}
		}
	}
	follows(t, tr)
	tr.signal(t, syscall.SIGTERM)
	tr.stoppedWell(t)
}
