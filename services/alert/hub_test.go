package alert

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"robotrader/services/alert/post"
	"robotrader/services/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire answers for all hosts, in fake time.
type wire struct {
	mu   sync.Mutex // guards what follows
	got  map[string][]string
	down map[string]bool // hosts that hang
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	down := w.down[r.URL.Host]
	if !down {
		w.got[r.URL.Host] = append(w.got[r.URL.Host], string(b))
	}
	w.mu.Unlock()
	if down {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Header: http.Header{}, Request: r}, nil
}

func (w *wire) at(host string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.got[host]...)
}

func (w *wire) hang(host string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[host] = on
}

// told is what a hub said of itself.
type told struct {
	mu   sync.Mutex // guards list
	list []event.AlertState
}

func (s *told) add(a event.AlertState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, a)
}

func (s *told) last() (event.AlertState, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[len(s.list)-1], len(s.list)
}

func hubs(t *testing.T, fn func(t *testing.T, h *Hub, w *wire, s *told)) {
	synctest.Test(t, func(t *testing.T) {
		targets, err := post.Parse([]string{"generic://a.example.org/hook", "generic://b.example.org/hook"})
		if err != nil {
			t.Fatal(err)
		}
		w, s := &wire{got: map[string][]string{}, down: map[string]bool{}}, &told{}
		h := New(DefaultConfig(), Parts{
			Targets: targets, Client: &http.Client{Transport: w}, Log: slog.New(slog.DiscardHandler), Name: "here", Tell: s.add,
		})
		h.Start()
		fn(t, h, w, s)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if err := h.Stop(ctx); err != nil || time.Since(began) > time.Second {
			t.Errorf("stop: %v after %v", err, time.Since(began))
		}
	})
}

// Each target gets each message at once, and how it stands is told.
func TestHubTells(t *testing.T) {
	hubs(t, func(t *testing.T, h *Hub, w *wire, s *told) {
		h.Raise(Trouble{Kind: Mode, Cause: "the mode is halted"})
		h.Raise(Trouble{Kind: Mode, Cause: "the mode is halted"})
		synctest.Wait()
		for _, host := range []string{"a.example.org", "b.example.org"} {
			if got := w.at(host); len(got) != 1 || got[0] != "[here] Trading is stopped\nthe mode is halted" {
				t.Errorf("%s got %q", host, got)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		now, n := s.last()
		if len(now.On) != 1 || len(now.Sent) != 1 || !now.Sent[0].Urgent || len(now.Targets) != 2 || now.Targets[0].State != post.Working || now.Counts[0].Delivered != 2 || now.Counts[0].Said != 1 {
			t.Errorf("state %+v", now)
		}
		if n > 4 {
			t.Errorf("told %d times in two seconds", n)
		}
		h.ClearAll(Mode)
		synctest.Wait()
		if got := w.at("a.example.org"); len(got) != 2 || !strings.Contains(got[1], "Over: Trading is stopped\nover, lasted 2s") {
			t.Errorf("got %q", got)
		}
	})
}

// A target that hangs holds up neither the other nor whoever tells of troubles,
// and the other tells of it.
func TestHubWithATargetThatHangs(t *testing.T) {
	hubs(t, func(t *testing.T, h *Hub, w *wire, s *told) {
		w.hang("a.example.org", true)
		began := time.Now()
		for range 10_000 {
			h.Raise(data("A"))
			h.Clear(StaleData, "A")
		}
		if d := time.Since(began); d != 0 { // in fake time, only a wait takes any
			t.Errorf("telling took %v", d)
		}
		h.Raise(Trouble{Kind: Journal, Cause: "the disk is full"})
		time.Sleep(25 * time.Second)
		synctest.Wait()
		got := strings.Join(w.at("b.example.org"), "\n")
		if !strings.Contains(got, "the disk is full") || !strings.Contains(got, "Alerts cannot be delivered\nwebhook at a.example.org fails: webhook: a.example.org did not answer in time") {
			t.Errorf("b got %q", got)
		}
		if now, _ := s.last(); now.Targets[0].State != post.Failing || now.Targets[0].Waiting == 0 || now.Targets[1].State != post.Working {
			t.Errorf("targets %+v", now.Targets)
		}
		w.hang("a.example.org", false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := w.at("a.example.org"); len(got) == 0 || !strings.Contains(got[0], "the disk is full") {
			t.Errorf("a got %q", got)
		}
		if got := strings.Join(w.at("b.example.org"), "\n"); !strings.Contains(got, "Over: Alerts cannot be delivered") {
			t.Errorf("b got %q", got)
		}
		if now, _ := s.last(); len(now.On) != 1 || now.Targets[0].State != post.Working {
			t.Errorf("state %+v", now)
		}
	})
}

// What is raised in the last moment leaves.
func TestHubEnds(t *testing.T) {
	var last *wire
	hubs(t, func(_ *testing.T, h *Hub, w *wire, _ *told) {
		last = w
		w.hang("a.example.org", true)
		h.Raise(data("A"))
	})
	if got := last.at("b.example.org"); len(got) != 1 {
		t.Errorf("b got %q", got)
	}
	if err := New(DefaultConfig(), Parts{}).Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTry(t *testing.T) {
	targets, err := post.Parse([]string{"generic://a.example.org/hook", "generic://b.example.org/hook"})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{got: map[string][]string{}, down: map[string]bool{"b.example.org": true}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	list := Try(ctx, targets, &http.Client{Transport: w}, post.Message{Title: "t", Text: "x", Kind: string(Test)})
	if list[0].Err != nil || list[1].Err == nil || errors.Is(list[1].Err, post.ErrNotTaken) || list[1].Took < 100*time.Millisecond {
		t.Errorf("%v", list)
	}
}

// No state of alerting shows a secret, whatever the URLs were.
func TestStateShowsNoSecret(t *testing.T) {
	targets, err := post.Parse([]string{"ntfy://u:hunter2@ntfy.sh/my-secret-topic", "telegram://110201543:AAHdqTcvCH1vGWJx@telegram?chats=987654321"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(New(DefaultConfig(), Parts{Targets: targets}).State())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"hunter2", "my-secret-topic", "AAHdq", "987654321"} {
		if strings.Contains(string(b), s) {
			t.Errorf("it shows %s: %s", s, b)
		}
	}
}
