package ibkr

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// mostFarms bounds how many of the venue's servers are remembered; there are
// about a dozen. The one that was told of longest ago makes room.
const mostFarms = 64

// farmWords tells which kind of server a code is about and how it is, section
// 8. The text names it.
var farmWords = map[int]struct{ kind, state string }{
	2103: {"market", broker.PartBroken},
	2104: {"market", broker.PartOK},
	2108: {"market", broker.PartIdle},
	2119: {"market", broker.PartConnecting},
	2105: {"history", broker.PartBroken},
	2106: {"history", broker.PartOK},
	2107: {"history", broker.PartIdle},
	2157: {"contracts", broker.PartBroken},
	2158: {"contracts", broker.PartOK},
}

// vital is what the gateway said of itself. The session's lock guards it.
type vital struct {
	venue    broker.Part
	farms    map[farmKey]*farm
	told     int        // counts the words about farms
	readOnly *time.Time // since it said that its API is read-only
	rival    *time.Time // since it said that another session takes the data
	rivals   map[market.Symbol]bool
}

type farmKey struct{ kind, name string }

type farm struct {
	part broker.Part
	told int // the newest word about it
}

// Health tells how the session stands; see [broker.Vital]. The built-in gateway
// has no limits on history, and the questions put to it are not counted.
func (s *Session) Health() broker.Health {
	h := broker.Health{
		Pacing: s.budget.Sends.Health(), Lines: s.lineUse(), History: s.budget.Bars.Use(),
		Farms: []broker.Part{}, FramesIn: s.framesIn.Load(), FramesOut: s.framesOut.Load(), Undecoded: int(s.skipped.Load()),
		Strays: s.strays.Load(),
	}
	if at := s.frameAt.Load(); at != 0 {
		t := time.Unix(0, at).UTC()
		h.LastFrame = &t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Missed = s.missed
	if s.heardBack {
		at, trip := s.answerAt.UTC(), float64(s.roundTrip.Microseconds())/1000
		h.LastAnswer, h.RoundTripMS = &at, &trip
	}
	h.Venue = s.vital.venue
	if h.Venue.Name == "" {
		h.Venue.Name, h.Venue.Kind = "venue", "venue"
	}
	for _, f := range s.vital.farms {
		h.Farms = append(h.Farms, f.part)
	}
	slices.SortFunc(h.Farms, func(a, b broker.Part) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	h.ReadOnlyAPI, h.Competing = copied(s.vital.readOnly), copied(s.vital.rival)
	return h
}

func copied(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

// note takes what an error message says about the session's health. It is
// called on the reader.
func (s *Session) note(m wire.ErrMsg, kind broker.NoticeKind) {
	now := s.wall().UTC()
	symbol := market.Symbol("") // whose data it is about
	if id, about := m.About(); about {
		if sub := s.sub(int(id)); sub != nil {
			symbol = sub.symbol
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.vital
	switch kind {
	case broker.NoticeLinkDown:
		v.venue = changed(v.venue, broker.Part{Name: "venue", Kind: "venue", State: broker.PartBroken, Code: m.Code, Text: m.Text, Since: now})
	case broker.NoticeLinkUp, broker.NoticeDataLost:
		v.venue = changed(v.venue, broker.Part{Name: "venue", Kind: "venue", State: broker.PartOK, Code: m.Code, Text: m.Text, Since: now})
	case broker.NoticeCompeting:
		if v.rival == nil {
			v.rival, v.rivals = &now, map[market.Symbol]bool{}
		}
		v.rivals[symbol] = true
		s.rivalry.Store(true)
	default:
	}
	if w, ok := farmWords[m.Code]; ok {
		v.farm(broker.Part{Name: farmName(m.Text), Kind: w.kind, State: w.state, Code: m.Code, Text: m.Text, Since: now})
	}
	if m.Code == 321 && v.readOnly == nil && saysReadOnly(m.Text) {
		v.readOnly = &now
		s.event(broker.Notice{Kind: broker.NoticeReadOnly, Code: m.Code, Text: m.Text})
	}
}

// farm takes one word about a farm.
func (v *vital) farm(p broker.Part) {
	key := farmKey{p.Kind, p.Name}
	v.told++
	f := v.farms[key]
	if f == nil {
		if v.farms == nil {
			v.farms = map[farmKey]*farm{}
		}
		if len(v.farms) >= mostFarms {
			delete(v.farms, slices.MinFunc(slices.Collect(maps.Keys(v.farms)), func(a, b farmKey) int { return cmp.Compare(v.farms[a].told, v.farms[b].told) }))
		}
		f = &farm{}
		v.farms[key] = f
	}
	f.part, f.told = changed(f.part, p), v.told
}

// changed is the newest word on a part, since when its state is what it is.
func changed(before, now broker.Part) broker.Part {
	if before.State == now.State {
		now.Since = before.Since
	}
	return now
}

// farmName is what stands behind the last colon of a farm's notice. The ones of
// idle farms have none, but a sentence that ends in "demand." before it: from
// general knowledge.
func farmName(text string) string {
	name := text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		name = text[i+1:]
	} else if i := strings.LastIndex(text, "demand."); i >= 0 {
		name = text[i+len("demand."):]
	}
	name = strings.TrimSpace(name)
	return name[:min(len(name), 60)]
}

// saysReadOnly tells the refusal of a read-only API from the other reasons of
// code 321, section 1.6.
func saysReadOnly(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "read-only") || strings.Contains(text, "read only")
}

// dataCame ends the competition for a symbol's data.
func (s *Session) dataCame(symbol market.Symbol) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.vital.rivals, symbol)
	delete(s.vital.rivals, "") // said of no symbol: any data is the end of it
	if len(s.vital.rivals) == 0 {
		s.vital.rival = nil
		s.rivalry.Store(false)
	}
}
