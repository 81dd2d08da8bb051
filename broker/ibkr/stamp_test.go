package ibkr

import (
	"strconv"
	"testing"
	"time"

	"robotrader/broker/ibkr/pace"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// TestAStampAheadOfTheGatewaysClockIsLeftOut: of a real gateway; a simulated
// one's ticks are its time.
func TestAStampAheadOfTheGatewaysClockIsLeftOut(t *testing.T) {
	for _, simulated := range []bool{false, true} {
		cfg := DefaultConfig()
		cfg.Simulated = simulated
		s := newSession(cfg, quiet(), nil, pace.NewBudget(45, 5))
		s.subs.Store(&map[int]*subscription{7: {symbol: "AAPL"}})
		told := time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
		s.readAt = told
		s.setClock(told)
		for _, tt := range []struct {
			ahead time.Duration
			taken bool
		}{{time.Second, true}, {240 * time.Hour, simulated}, {market.MaxLead + time.Second, simulated}} {
			at := told.Add(tt.ahead)
			m := wire.TickString{ReqID: 7, Type: wire.TickLastTime, Text: []byte(strconv.FormatInt(at.Unix(), 10))}
			if err := s.tickString(&m); err != nil {
				t.Fatal(err)
			}
			stamped := s.sub(7).stamp.Equal(at)
			if stamped != tt.taken || !tt.taken && s.marketNow().Sub(told) > market.MaxLead {
				t.Errorf("simulated %v, %v ahead: stamped %v, market time %v", simulated, tt.ahead, stamped, s.marketNow())
			}
		}
		if n := len(s.batch.Events); !simulated && n != 1 {
			t.Errorf("told %d times", n)
		}
	}
}
