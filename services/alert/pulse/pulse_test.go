package pulse

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"robotrader/services/alert/post"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ward is a program that can be ill, and who listens to its pulse.
type ward struct {
	mu    sync.Mutex // guards what follows
	ill   error
	stuck bool // the loop does not answer
	beats []string
	gone  bool // who listens does not answer
	log   strings.Builder
}

func (w *ward) set(ill error, stuck, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ill, w.stuck, w.gone, w.beats = ill, stuck, gone, nil
}

func (w *ward) heard() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.beats, ", ")
}

func (w *ward) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func (w *ward) ask(ctx context.Context) error {
	w.mu.Lock()
	ill, stuck := w.ill, w.stuck
	w.mu.Unlock()
	if stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	return ill
}

func (w *ward) RoundTrip(r *http.Request) (*http.Response, error) {
	b, _ := io.ReadAll(r.Body) // what is cut off is seen in the beats
	w.mu.Lock()
	gone := w.gone
	w.beats = append(w.beats, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(b)))
	w.mu.Unlock()
	if gone {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("OK")), Request: r}, nil
}

// TestPulse: it beats while all answer, says or keeps silent about what does
// not, and beats again.
func TestPulse(t *testing.T) {
	for _, fail := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := &ward{}
			p := New(Config{URL: "https://hc-ping.com/my-secret-uuid", Every: time.Minute, Fail: fail}, &http.Client{Transport: w},
				slog.New(slog.NewTextHandler(w, nil)), Probe{"desk", w.ask}, Probe{"runner", func(context.Context) error { return nil }})
			p.Start()
			time.Sleep(2*time.Minute + 6*time.Second)
			if got := w.heard(); got != strings.TrimSuffix(strings.Repeat("GET /my-secret-uuid, ", 3), ", ") {
				t.Errorf("well: %q", got)
			}
			w.set(errors.New("it is stuck"), false, false)
			time.Sleep(time.Minute)
			want := ""
			if fail {
				want = "POST /my-secret-uuid/fail desk: it is stuck"
			}
			if got := w.heard(); got != want {
				t.Errorf("ill: %q", got)
			}
			w.set(nil, true, false)
			time.Sleep(2*time.Minute + 3*time.Second) // and as long as a probe may take
			if got := w.heard(); strings.Contains(got, "GET") || strings.Count(got, "POST") != strings.Count(want, "POST")*2 {
				t.Errorf("stuck: %q", got)
			}
			w.set(nil, false, true)
			time.Sleep(2 * time.Minute)
			if got := w.heard(); strings.Count(got, "GET") != 2 { // one a minute, though nobody answers
				t.Errorf("nobody listens: %q", got)
			}
			w.set(nil, false, false)
			time.Sleep(time.Minute)
			if got := w.heard(); got != "GET /my-secret-uuid" {
				t.Errorf("well again: %q", got)
			}
			if well, ill, lost := p.Beats(); well != 4 || ill != 3 || lost < 1 {
				t.Errorf("%d well, %d ill, %d lost", well, ill, lost)
			}
			w.set(nil, true, false)
			time.Sleep(57 * time.Second) // into a beat that hangs
			if err := p.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if strings.Contains(w.log.String(), "my-secret-uuid") || strings.Count(w.log.String(), "heartbeat_well") != 2 {
				t.Errorf("the log says:\n%s", w.log.String())
			}
		})
	}
}

// Over a real socket: no redirect is followed, no error shows the URL.
func TestPulseOverHTTP(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	status := http.StatusFound
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer s.Close()
	p := New(Config{URL: s.URL + "/my-secret-uuid?x=1", Every: time.Minute, Fail: true}, post.NewClient(), slog.New(slog.DiscardHandler))
	err := p.tell(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "302") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a redirect: %v", err)
	}
	mu.Lock()
	status = http.StatusOK
	mu.Unlock()
	if err := p.tell(t.Context(), errors.New("x")); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := p.tell(t.Context(), nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody there: %v", err)
	}
	if got := strings.Join(asked, " "); got != "/my-secret-uuid /my-secret-uuid/fail" {
		t.Errorf("asked for %s", got)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("without a start: %v", err)
	}
}
