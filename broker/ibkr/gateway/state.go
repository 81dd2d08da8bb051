package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"robotrader/broker/exchange"
	"robotrader/broker/ibkr/gateway/blotter"
	"robotrader/broker/ibkr/gateway/store"
	"robotrader/broker/ibkr/wire"
	"robotrader/broker/market"
)

// stateVersion is the version of what is kept; another one is refused.
const stateVersion = 1

const (
	// maxLog is State's.
	maxLog = 8 << 20
	// markEvery is how often, in wall time, prices and market time are kept
	// where nothing else changes.
	markEvery = 5 * time.Second
	// keepDays is for how long executions are kept, which is how long a real
	// gateway tells them.
	keepDays = 7
)

// ErrBadState means that what a folder holds cannot be taken over.
var ErrBadState = errors.New("gateway: bad state")

// State is the folder in which a gateway keeps accounts, orders, executions and
// numbers over restarts. Open it with [OpenState], and give it to one server.
//
// What clients are told is kept before it leaves: a gateway that is killed has
// forgotten nothing that anybody heard of. Prices and market time are kept
// every 5 s.
type State struct {
	store  *store.Store
	saved  *savedState // nil where nothing was saved
	born   time.Time   // market time at which the first life's tape began
	marked time.Time   // wall time of the newest record
	maxLog int64       // length of the log at which a new snapshot is saved, bytes
	fault  error       // why nothing can be kept any more
}

// savedState is what is kept, as JSON.
type savedState struct {
	Version  int            `json:"version"`
	Market   time.Time      `json:"market"`        // time
	Born     time.Time      `json:"born,omitzero"` // market time at which the first life's tape began
	Exchange exchange.State `json:"exchange"`
	Blotter  blotter.State  `json:"blotter"`
}

// savedChange is what one cause changed.
type savedChange struct {
	Market   time.Time        `json:"market"`
	Exchange *exchange.Change `json:"exchange,omitempty"`
	Blotter  *blotter.Change  `json:"blotter,omitempty"`
}

// OpenState takes an existing folder, which no other program may have. The
// error wraps [store.ErrLocked], [store.ErrDamaged] or [ErrBadState], and names
// place, value and mend.
func OpenState(dir string, log *slog.Logger) (*State, error) {
	if log == nil {
		log = slog.Default()
	}
	st, saved, err := store.Open(dir, log)
	if err != nil {
		return nil, fmt.Errorf("gateway: state: %w", err)
	}
	s := &State{store: st, maxLog: maxLog}
	if saved.Snapshot != nil {
		if s.saved, err = readState(dir, saved); err != nil {
			return nil, errors.Join(err, st.Close())
		}
		s.born = s.saved.Born
	}
	return s, nil
}

// readState returns the state after the last change.
func readState(dir string, saved store.Saved) (*savedState, error) {
	s := &savedState{}
	if err := json.Unmarshal(saved.Snapshot, s); err != nil {
		return nil, fmt.Errorf("%w: snapshot in %s: %w: put back a copy of the folder, or begin anew in an empty one", ErrBadState, dir, err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("%w: snapshot in %s has version %d, this program reads %d: use the release that wrote it, or begin anew in an empty folder",
			ErrBadState, dir, s.Version, stateVersion)
	}
	for i, text := range saved.Changes {
		if err := s.apply(text); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrBadState, saved.Place(i), err)
		}
	}
	return s, nil
}

func (s *savedState) apply(text []byte) error {
	var c savedChange
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return fmt.Errorf("%.60q: %w: put back a copy of the folder, or begin anew in an empty one", text, err)
	}
	if c.Exchange != nil {
		if err := s.Exchange.Apply(*c.Exchange); err != nil {
			return err
		}
	}
	if c.Blotter != nil {
		if err := s.Blotter.Apply(*c.Blotter); err != nil {
			return err
		}
	}
	s.Market = c.Market
	return nil
}

// Market returns the market time that was kept; ok is false in a new folder.
func (s *State) Market() (at time.Time, ok bool) {
	if s.saved == nil {
		return time.Time{}, false
	}
	return s.saved.Market, true
}

// Born is the market time at which the tape of the folder's first life began,
// for who makes the tape go on; ok is false for a new folder.
func (s *State) Born() (at time.Time, ok bool) { return s.born, !s.born.IsZero() }

// Close gives the folder back where no server has taken it.
func (s *State) Close() error { return s.store.Close() }

// restore takes over what was kept, moves market time to where the tape stands,
// and begins to keep what changes.
func (s *Server) restore() error {
	st := s.cfg.State
	if st == nil {
		return nil
	}
	s.state = st
	if st.born.IsZero() {
		st.born = s.v.Source.Start()
	}
	if saved := st.saved; saved != nil {
		st.saved = nil // it may be large
		saved.Exchange.Drop(saved.Market.AddDate(0, 0, -keepDays))
		for _, symbol := range saved.Exchange.Symbols() {
			if _, ok := s.v.Find(wire.ContractOf(market.USStock(symbol))); !ok {
				return fmt.Errorf("%w: it holds %s, which is not played: start with the symbols of before, or with another folder", ErrBadState, symbol)
			}
		}
		if err := s.v.X.Restore(saved.Exchange); err != nil {
			return fmt.Errorf("%w: %w", ErrBadState, err)
		}
		if err := s.blotter.Restore(saved.Blotter); err != nil {
			return fmt.Errorf("%w: %w", ErrBadState, err)
		}
		s.resume(saved.Market)
	}
	return s.snapshot()
}

// resume lets market time go on from where it was. A tape that begins earlier
// is played on from there; one that begins later ends what has expired
// meanwhile.
func (s *Server) resume(at time.Time) {
	for s.pending && !s.next.At.After(at) {
		s.next, s.pending = s.v.Source.Next()
	}
	start := s.v.At
	s.v.At = at
	if at.After(start) {
		s.v.Clock = s.v.Clock.Advance(at, time.Now())
	}
	s.moveTo(start)
}

// snapshot saves all.
func (s *Server) snapshot() error {
	saved := savedState{stateVersion, s.v.Now(), s.state.born, s.v.X.State(), s.blotter.State()}
	text, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("gateway: state: %w", err)
	}
	s.state.marked = time.Now()
	if err := s.state.store.Replace(text); err != nil {
		return fmt.Errorf("gateway: state: %w", err)
	}
	return nil
}

// save keeps what has changed, if it may not be lost or if it is time to.
// Called under the mutex, before clients are told.
func (s *Server) save() {
	if s.state == nil || s.state.fault != nil {
		return
	}
	var c savedChange
	told, changed := s.blotter.Changes()
	if !changed && time.Since(s.state.marked) < markEvery {
		return
	}
	if changed {
		c.Blotter = &told
	}
	if books, ok := s.v.X.Changes(); ok {
		c.Exchange = &books
	}
	c.Market = s.v.Now()
	if err := s.append(c); err != nil {
		s.lose(err)
	}
}

func (s *Server) append(c savedChange) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("gateway: state: %w", err)
	}
	s.state.marked = time.Now()
	if err := s.state.store.Append(text); err != nil {
		return fmt.Errorf("gateway: state: %w", err)
	}
	if s.state.store.Size() > s.state.maxLog {
		return s.snapshot()
	}
	return nil
}

// lose ends all sessions, because nothing can be kept any more: to go on would
// tell clients what a restart forgets. Called under the mutex.
func (s *Server) lose(err error) {
	s.state.fault = err
	s.log.Error("gateway_state_lost", "error", err, "advice", "make room on the disk, and start again")
	for c := range s.conns {
		c.cut()
	}
	close(s.broken)
}

// Broken is closed when the state cannot be kept any more: all sessions have
// ended then, and Stop tells why.
func (s *Server) Broken() <-chan struct{} { return s.broken }

// closeState saves all for the last time, when no session is left.
func (s *Server) closeState() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil || s.stateClosed {
		return nil
	}
	s.stateClosed = true
	err := s.state.fault
	if err == nil {
		err = s.snapshot()
	}
	return errors.Join(err, s.state.Close())
}
