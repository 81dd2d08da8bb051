package gateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"robotrader/broker/ibkr/gateway/venue"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/order"
)

// Every server version is negotiated, and takes an order from its placing to
// its commission.
func TestEveryVersion(t *testing.T) {
	for v := MinVersion; v <= MaxVersion; v++ {
		for _, offer := range []wire.Hello{{Min: 100, Max: v}, {Min: v, Max: v}, {Min: 176, Max: 226, Options: "+PACEAPI"}} {
			t.Run(fmt.Sprint(v, " ", offer), func(t *testing.T) {
				s := start(t, shortDay(), func(c *Config) { c.ServerVersion = v })
				p := dial(t, s)
				p.say(offer)
				if int(p.v) != v {
					t.Fatalf("version %d", p.v)
				}
				p.send(wire.StartAPI{ClientID: 1})
				var got []wire.Message
				for range 5 {
					got = append(got, p.next())
				}
				if diff := cmp.Diff([]string{"managedAccts", "nextValidId", "errMsg 2104", "errMsg 2106", "errMsg 2158"}, names(got)); diff != "" {
					t.Error(diff)
				}
				if _, err := s.Pacer(1).Next(t.Context()); err != nil {
					t.Fatal(err)
				}
				p.send(marketOrder(1, order.Buy, 100))
				want := []string{
					"openOrder PreSubmitted", "orderStatus PreSubmitted", "execDetails",
					"openOrder Filled", "orderStatus Filled", "commissionReport",
				}
				if diff := cmp.Diff(want, names(p.sync())); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// say makes the hello that it is given.
func (p *peer) say(h wire.Hello) {
	p.t.Helper()
	b, err := h.Append(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(b)
	payload, err := wire.ReadFrame(p.in, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := wire.ParseServerHello(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	p.v = wire.Version(answer.Version)
}

// greeted returns what comes after START_API, up to the answer to a question
// behind it.
func greeted(t *testing.T, s *Server, id int) []string {
	t.Helper()
	p := dial(t, s)
	p.hello(MaxVersion)
	p.send(wire.StartAPI{ClientID: id})
	p.send(wire.ReqMktData{ReqID: 1}) // no such contract: an error with its id ends the list
	var list []string
	for {
		switch m := p.next().(type) {
		case wire.ErrMsg:
			if m.RequestID == 1 {
				p.leave()
				return list
			}
			list = append(list, itoa(m.Code))
		case wire.ManagedAccts:
			list = append(list, "15:"+m.List)
		case wire.NextValidID:
			list = append(list, "9")
		default:
			list = append(list, names([]wire.Message{m})...)
		}
	}
}

func TestGreetings(t *testing.T) {
	const accounts = "15:DU7654321"
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"usual":            {func(*Config) {}, accounts + " 9 2104 2106 2158"},
		"next id first":    {func(c *Config) { c.IDOrder = NextIDFirst }, "9 " + accounts + " 2104 2106 2158"},
		"farms before":     {func(c *Config) { c.FarmNotices = FarmsBefore }, "2104 2106 2158 " + accounts + " 9"},
		"farms between":    {func(c *Config) { c.FarmNotices = FarmsBetween }, accounts + " 2104 2106 2158 9"},
		"no farms":         {func(c *Config) { c.FarmNotices = FarmsNone }, accounts + " 9"},
		"comma":            {func(c *Config) { c.AccountsComma = true }, accounts + ", 9 2104 2106 2158"},
		"several accounts": {func(c *Config) { c.Accounts = []string{"DU1111111", "DU2222222"} }, "15:DU1111111,DU2222222 9 2104 2106 2158"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, shortDay(), tt.change)
			if got := strings.Join(greeted(t, s, 3), " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestErrorsWithoutARequestHaveTheIDAsked(t *testing.T) {
	s := start(t, shortDay(), func(c *Config) { c.NoRequestID = NoRequestOld })
	p := dial(t, s)
	p.hello(MaxVersion)
	p.send(wire.StartAPI{ClientID: 1})
	p.next() // managedAccts
	p.next() // nextValidId
	list := p.sync()
	if len(list) != 3 {
		t.Errorf("got %v", names(list))
	}
	for _, m := range list {
		if e, ok := m.(wire.ErrMsg); ok {
			if e.RequestID != NoRequestOld {
				t.Errorf("got %+v", e)
			}
		}
	}
}

func TestZoneText(t *testing.T) {
	for _, zone := range []string{"British Summer Time", "Eastern European Summer Time", "中国标准时间", "\xd6\xd0\xb9\xfa"} {
		s := start(t, shortDay(), func(c *Config) { c.ZoneText = zone })
		p := dial(t, s)
		b, err := wire.Hello{Min: 100, Max: 200}.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		p.write(b)
		payload, err := wire.ReadFrame(p.in, nil)
		if want := "200\x0020260402 09:30:00 " + zone + "\x00"; err != nil || string(payload) != want {
			t.Errorf("got %q, want %q: %v", payload, want, err)
		}
	}
}

func TestDownloadOpenOrdersComesBeforeTheNextID(t *testing.T) {
	for _, how := range []string{"download", "master", "other"} {
		t.Run(how, func(t *testing.T) {
			s := start(t, shortDay(), func(c *Config) {
				c.DownloadOpenOrders = how == "download"
				if how == "master" {
					c.MasterClientID = 4
				}
			})
			p, next := join(t, s, MaxVersion, 3)
			if _, err := s.Pacer(3).Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.send(limitOrder(next, order.Buy, 5, "100"))
			p.sync()
			p.leave()
			id := 3
			if how == "master" {
				id = 4
			}
			got := strings.Join(greeted(t, s, id), " ")
			order, nextID := strings.Index(got, "openOrder Submitted orderStatus Submitted"), strings.Index(got, " 9 ")
			if how == "other" && order >= 0 || how != "other" && (order < 0 || order > nextID) {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestEarlyRequests(t *testing.T) {
	early := func(t *testing.T, change func(*Config)) (list []string) {
		s := start(t, shortDay(), change)
		p := dial(t, s)
		p.hello(MaxVersion)
		var out []byte
		for _, m := range []wire.Message{wire.StartAPI{ClientID: 1}, wire.ReqManagedAccts{}} {
			var err error
			if out, err = wire.AppendMessage(out, m, MaxVersion); err != nil {
				t.Fatal(err)
			}
		}
		p.write(out)
		if s.cfg.EarlyRequests == EarlyClose {
			list = names(p.closed())
			joinable(t, s)
			return list
		}
		return names(p.sync())
	}
	for _, delay := range []time.Duration{0, 30 * time.Millisecond} {
		got := early(t, func(c *Config) { c.EarlyRequests, c.ReadyDelay = EarlyClose, delay })
		if len(got) != 0 {
			t.Errorf("after %v the client that did not wait got %v", delay, got)
		}
		got = early(t, func(c *Config) { c.ReadyDelay = delay })
		if len(got) == 0 || got[0] != "managedAccts" {
			t.Errorf("after %v the client that did not wait got %v", delay, got)
		}
	}
}

// A client that waits is served, however long the ids take.
func TestReadyDelay(t *testing.T) {
	for _, early := range []string{EarlyWait, EarlyClose} {
		s := start(t, shortDay(), func(c *Config) { c.ReadyDelay, c.EarlyRequests = 40*time.Millisecond, early })
		began := time.Now()
		join(t, s, MaxVersion, 1)
		if took := time.Since(began); took < 40*time.Millisecond {
			t.Errorf("%s: ready after %v", early, took)
		}
	}
}

func TestClientIDInUseWithAPlainClose(t *testing.T) {
	s := start(t, shortDay(), func(c *Config) { c.IDInUse = RefuseWithClose })
	first, _ := join(t, s, MaxVersion, 5)
	second := dial(t, s)
	second.hello(MaxVersion)
	second.send(wire.StartAPI{ClientID: 5})
	if list := second.closed(); len(list) != 0 {
		t.Errorf("the second got %v", names(list))
	}
	first.sync()
}

func TestThe33rdClientIsRefused(t *testing.T) {
	s := start(t, shortDay(), nil)
	for id := range 32 {
		join(t, s, MaxVersion, id)
	}
	if list := dial(t, s).closed(); len(list) != 0 {
		t.Errorf("the 33rd got %v", names(list))
	}
}

// A client that asks to be paced is never refused: its messages wait.
func TestPacedClientIsNotRefused(t *testing.T) {
	s := start(t, &script{}, func(c *Config) { c.Speed, c.MaxRate = 1, 20 })
	p := dial(t, s)
	p.say(wire.Hello{Min: 100, Max: 200, Options: "+PACEAPI"})
	p.send(wire.StartAPI{ClientID: 1})
	began := time.Now()
	for range 45 {
		p.send(wire.ReqManagedAccts{})
	}
	answers := 0
	for answers < 46 { // one of them is the greeting's
		switch m := p.next().(type) {
		case wire.ManagedAccts:
			answers++
		case wire.ErrMsg:
			if m.Code == venue.MaxRate {
				t.Fatalf("refused: %+v", m)
			}
		}
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("45 messages at 20 a second took %v", took)
	}
}

func TestThreeStrikesEndTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRate(5)
		flood := func() (firsts int) {
			for range 20 {
				if _, first := r.allow(time.Now()); first {
					firsts++
				}
			}
			return firsts
		}
		for want := 1; want <= maxStrikes; want++ {
			if flood() != 1 || r.strikes != want {
				t.Errorf("%d strikes, want %d", r.strikes, want)
			}
			time.Sleep(2 * time.Second)
		}
		time.Sleep(2 * strikeLasts) // two are taken back
		if flood(); r.strikes != 2 {
			t.Errorf("%d strikes after two minutes, want 2", r.strikes)
		}
		time.Sleep(time.Hour)
		if flood(); r.strikes != 1 {
			t.Errorf("%d strikes after an hour, want 1", r.strikes)
		}
	})
}

func TestAFloodIsEnded(t *testing.T) {
	s := start(t, &script{}, func(c *Config) { c.Speed, c.MaxRate = 1, 5 })
	p, _ := join(t, s, MaxVersion, 1)
	go func() { // ends with the connection
		frame, err := wire.AppendMessage(nil, wire.ReqManagedAccts{}, MaxVersion)
		for err == nil {
			_, err = p.conn.Write(frame)
			<-time.After(time.Millisecond)
		}
	}()
	refused := 0
	for _, m := range p.closed() {
		if e, ok := m.(wire.ErrMsg); ok && e.Code == venue.MaxRate {
			refused++
		}
	}
	if refused != maxStrikes {
		t.Errorf("%d times code 100 before the close, want %d", refused, maxStrikes)
	}
	joinable(t, s)
}

// Memory of client ids that never traded is not kept.
func TestClientIDsAreForgotten(t *testing.T) {
	s := start(t, shortDay(), nil)
	for id := range 200 {
		p, _ := join(t, s, MaxVersion, id)
		p.leave()
	}
	joinable(t, s)
	s.lock()
	defer s.unlock()
	if n := len(s.clients); n > 2 {
		t.Errorf("%d client ids are remembered", n)
	}
}
