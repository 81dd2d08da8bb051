package telemetry

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"robotrader/broker"
)

func TestJournalIsToldByKindAndSince(t *testing.T) {
	m := NewMetrics()
	var now *broker.JournalFailure
	m.Journal(func() *broker.JournalFailure { return now })
	scrape := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	text := scrape()
	for _, kind := range broker.JournalFailureKinds() {
		if !strings.Contains(text, `trader_journal_failed{kind="`+kind+`"} 0`) {
			t.Errorf("%s is not told as 0", kind)
		}
	}
	if strings.Contains(text, "trader_journal_failed_since") {
		t.Error("since, while it works")
	}
	now = &broker.JournalFailure{Kind: "full", Since: time.Unix(1700000000, 500e6)}
	text = scrape()
	for _, want := range []string{`trader_journal_failed{kind="full"} 1`, `trader_journal_failed{kind="disk"} 0`, "trader_journal_failed_since_timestamp_seconds 1.7000000005e+09"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}
