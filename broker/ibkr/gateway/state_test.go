package gateway

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/exchange/tape"
	"robotrader/broker/ibkr/gateway/store"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// kept opens a state folder for a gateway.
func kept(t *testing.T, dir string) func(*Config) {
	t.Helper()
	st, err := OpenState(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.State = st }
}

// killed copies a state folder as it stands, which is what a kill leaves.
func killed(t *testing.T, s *Server, dir string) string {
	t.Helper()
	s.lock()
	defer s.mu.Unlock() // nothing changed: nothing is to be let go
	to := t.TempDir()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// trades makes a client buy, and leave a GTC and a DAY order behind.
func trades(t *testing.T, s *Server) {
	t.Helper()
	pace := s.Pacer(7)
	p, next := join(t, s, MaxVersion, 7)
	if _, err := pace.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.send(marketOrder(next, order.Buy, 100))
	gtc := limitOrder(next+1, order.Sell, 40, "250")
	gtc.TIF, gtc.OrderRef, gtc.OutsideRTH = "GTC", "keep", true
	p.send(gtc)
	p.send(limitOrder(next+2, order.Buy, 5, "100"))
	p.sync()
	p.leave()
}

// books is what a gateway tells of its orders and executions to who asks, also
// byte by byte.
func books(t *testing.T, s *Server) (list []wire.Message, bytes string) {
	t.Helper()
	p, next := join(t, s, MaxVersion, 7)
	defer p.leave()
	if next != 4 {
		t.Errorf("next order id %d, want 4", next)
	}
	n := 7
	p.send(wire.ReqAllOpenOrders{})
	p.send(wire.ReqExecutions{ReqID: 1, LastNDays: &n})
	p.send(wire.ReqCompletedOrders{})
	p.send(wire.ReqPositions{})
	p.send(wire.CancelPositions{})
	before := len(p.seen)
	list = p.sync()
	return list, string(p.seen[before:])
}

func ledgerText(t *testing.T, s *Server) string {
	t.Helper()
	text, err := json.MarshalIndent(s.Ledger(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestARestartKnowsAllThatWasTold(t *testing.T) {
	for _, how := range []string{"kill", "stop"} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, shortDay(), kept(t, dir))
			trades(t, s)
			list, want := books(t, s)
			ledger := ledgerText(t, s)
			if len(list) < 9 { // two open orders and their status, an execution and its commission, a position, the ends
				t.Errorf("only %v", names(list))
			}
			if how == "kill" {
				dir = killed(t, s, dir)
			} else if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			again := start(t, shortDay(), kept(t, dir))
			if got := again.Now(); got.Before(opening) {
				t.Errorf("market time went back to %v", got)
			}
			if diff := cmp.Diff(ledger, ledgerText(t, again)); diff != "" {
				t.Error(diff)
			}
			if _, got := books(t, again); got != want {
				t.Errorf("told %q, before %q", got, want)
			}
		})
	}
}

func TestNumbersGoOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, shortDay(), kept(t, dir))
	trades(t, s)
	s = start(t, shortDay(), kept(t, killed(t, s, dir)))
	p, next := join(t, s, MaxVersion, 7)
	p.send(marketOrder(next, order.Sell, 10))
	n := 7
	p.sync()
	p.send(wire.ReqExecutions{ReqID: 1, LastNDays: &n})
	seen := map[string]bool{}
	perms := map[int64]bool{}
	for _, m := range p.sync() {
		if e, ok := m.(wire.ExecDetails); ok {
			if seen[e.ExecID] || perms[e.PermID] {
				t.Errorf("execution %s of order %d: a number was given twice", e.ExecID, e.PermID)
			}
			seen[e.ExecID], perms[e.PermID] = true, true
		}
	}
	if len(seen) != 2 {
		t.Errorf("%d executions", len(seen))
	}
}

// A DAY order whose session ended while the gateway was down has ended at the
// restart, and is told to who asks on that day; a GTC order has not.
func TestDayOrdersExpireWhileTheGatewayIsDown(t *testing.T) {
	dir := t.TempDir()
	s := start(t, shortDay(), kept(t, dir))
	trades(t, s)
	dir = killed(t, s, dir)
	late := &lateScript{script{events: []tape.Event{quote(11*time.Hour, "187.24", "187.26")}}, opening.Add(11 * time.Hour)}
	s = start(t, late, kept(t, dir))
	if got, want := s.Now(), opening.Add(11*time.Hour); !got.Equal(want) {
		t.Errorf("market time %v, want %v", got, want)
	}
	var open []string
	list, _ := books(t, s)
	for _, m := range list {
		if o, ok := m.(wire.OpenOrder); ok {
			open = append(open, o.OrderRef+" "+o.TIF)
		}
	}
	if diff := cmp.Diff([]string{"keep GTC"}, open); diff != "" {
		t.Error(diff)
	}
	var ended []string
	for _, m := range list {
		if o, ok := m.(wire.CompletedOrder); ok {
			ended = append(ended, o.Order.OrderRef+" "+o.Order.TIF+" "+o.Order.Status)
		}
	}
	if !slices.Contains(ended, "r-1 DAY Cancelled") {
		t.Errorf("completed are %q: nobody can learn how the DAY order ended", ended)
	}
}

type lateScript struct {
	script
	from time.Time
}

func (s *lateScript) Start() time.Time { return s.from }

func (s *lateScript) Hours(market.Symbol, time.Time) (tape.Hours, error) {
	return s.script.Hours("AAPL", s.from)
}

// A tape that is played again goes on where it was.
func TestAReplayGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	s := start(t, shortDay(), kept(t, dir))
	p, _ := join(t, s, MaxVersion, 1)
	pace := s.Pacer(1)
	for range 2 {
		if _, err := pace.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.leave()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = start(t, shortDay(), kept(t, dir))
	join(t, s, MaxVersion, 1)
	at, err := s.Pacer(1).Next(t.Context())
	if err != nil || !at.At.Equal(opening.Add(2*time.Second)) {
		t.Errorf("the next instant is %v, %v: want the third", at.At, err)
	}
}

func TestStatesThatCannotBeTakenOver(t *testing.T) {
	dir := t.TempDir()
	s := start(t, shortDay(), kept(t, dir))
	trades(t, s)
	if _, err := OpenState(dir, quiet); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second gateway got %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, saved, err := store.Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"no JSON":         "{",
		"another version": `{"version":99}`,
		"no books":        `{"version":1}`,
		"other books":     strings.ReplaceAll(string(saved.Snapshot), `"AAPL"`, `"ZZZ1"`),
		"unequal books":   strings.Replace(string(saved.Snapshot), `"cash":"`, `"cash":"1`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := st.Replace([]byte(body)); err != nil {
				t.Fatal(err)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			state, err := OpenState(dir, quiet)
			if err == nil {
				cfg := lockStep()
				cfg.State = state
				_, err = New(cfg, shortDay(), quiet)
				if cerr := state.Close(); cerr != nil {
					t.Fatal(cerr)
				}
			}
			if !errors.Is(err, ErrBadState) {
				t.Errorf("got %v", err)
			}
			if st, _, err = store.Open(dir, quiet); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// What cannot be kept is not told: the sessions end.
func TestAFullDiskEndsTheSessions(t *testing.T) {
	dir := t.TempDir()
	st, err := OpenState(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	cfg := lockStep()
	cfg.State = st
	s, err := New(cfg, shortDay(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	p, next := join(t, s, MaxVersion, 7)
	s.lock()
	err = st.store.Close() // a log that cannot be written
	s.unlock()
	if err != nil {
		t.Fatal(err)
	}
	p.send(marketOrder(next, order.Buy, 1))
	if list := p.closed(); len(list) != 0 {
		t.Errorf("told %v", names(list))
	}
	select {
	case <-s.Broken():
	case <-time.After(patience):
		t.Error("nobody was told")
	}
	if list := dial(t, s).closed(); len(list) != 0 {
		t.Errorf("a new client got %v", names(list))
	}
	if err := s.Stop(t.Context()); err == nil {
		t.Error("stop tells nothing")
	}
}

func TestTheLogIsCompacted(t *testing.T) {
	dir := t.TempDir()
	s := start(t, shortDay(), kept(t, dir))
	p, next := join(t, s, MaxVersion, 7)
	if _, err := s.Pacer(7).Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.state.store.Size()
	most := before
	for i := range int64(200) {
		o := limitOrder(next+i, order.Buy, 1, "100")
		o.OrderRef = strings.Repeat("r", 200)
		p.send(o)
		p.sync()
		p.send(wire.CancelOrder{OrderID: next + i})
		p.sync()
		s.lock()
		s.state.maxLog = 64 << 10
		most = max(most, s.state.store.Size())
		s.unlock()
	}
	if most > 96<<10 {
		t.Errorf("the log grew to %d bytes", most)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("files %v, %v", files, err)
	}
}

// The folder knows when its first life began, so that a market that is made
// again goes on from the same prices.
func TestTheFirstLifeIsRemembered(t *testing.T) {
	dir := t.TempDir()
	for life := range 3 {
		st, err := OpenState(dir, quiet)
		if err != nil {
			t.Fatal(err)
		}
		born, ok := st.Born()
		if ok != (life > 0) || ok && !born.Equal(opening) {
			t.Errorf("life %d: born %v, %v", life, born, ok)
		}
		s := start(t, shortDay(), func(c *Config) { c.State = st })
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
