package guard

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"robotrader/broker"
	"robotrader/broker/desk/books"
	"robotrader/broker/market"
	"robotrader/broker/order"
)

// Rests is what rests at the broker against a position, or may.
type Rests struct {
	// Groups are those of the desk's, by their first order.
	Groups []*Group
	free   []*books.Entry // orders outside of them
	stray  *books.Entry   // a stop that protects nothing: of another side, or of no position
	pos    market.Qty     // without its sign
}

// Group is a one-cancels-all group of the desk's: what one of it executes, the
// broker takes off the others, so that together they take no more than the
// largest. It belongs to the position: stops and exits join it and leave it.
type Group struct {
	Name  string         // empty when the broker did not tell it
	Stops []*books.Entry // of the desk's, oldest first
	Exits []*books.Entry // all others
	// Used says that an order of it has executed, or may have: a broker lets
	// nobody join it any more.
	Used bool
}

// Against returns what rests against the position of a symbol.
func Against(b *books.Books, who *broker.Facts, s market.Symbol) *Rests {
	pos := b.Positions[s].Qty
	r := &Rests{pos: pos.Abs()}
	for _, e := range b.Live[s] {
		ours := e.Protects() && e.ClientID == who.ClientID
		switch {
		case books.Foreign(who, e.Account):
		case pos.IsZero() || e.Side != books.ExitSide(pos):
			if ours {
				r.stray = e
			}
		case ours || strings.HasPrefix(e.OCA, books.GuardPrefix):
			g := r.Group(e.OCA)
			if g == nil {
				g = &Group{Name: e.OCA, Used: b.Used(e.OCA, nil)}
				r.Groups = append(r.Groups, g)
			}
			if ours {
				g.Stops = append(g.Stops, e)
			} else {
				g.Exits = append(g.Exits, e)
			}
		default:
			r.free = append(r.free, e)
		}
	}
	return r
}

// Stray returns a stop of the desk's that may execute though nothing is held of a
// symbol, nil without one.
func Stray(b *books.Books, who *broker.Facts, s market.Symbol) *books.Entry {
	for _, e := range b.Live[s] {
		if e.Type == order.Stop && e.ClientID == who.ClientID && e.Protects() && !books.Foreign(who, e.Account) {
			return e
		}
	}
	return nil
}

// Group returns the group of a name, nil when there is none.
func (r *Rests) Group(name string) *Group {
	for _, g := range r.Groups {
		if name != "" && g.Name == name {
			return g
		}
	}
	return nil
}

func most(list []*books.Entry) (q market.Qty) {
	for _, e := range list {
		if q.Less(e.MostLeft()) {
			q = e.MostLeft()
		}
	}
	return q
}

func sum(list []*books.Entry) (q market.Qty) {
	for _, e := range list {
		q = q.Add(e.MostLeft())
	}
	return q
}

// takes is what the orders of a group may still execute together, as the gate
// reckons it: exits count each for itself, because a fill that nobody has told
// yet may have ended the group that one of them was to join.
func (g *Group) takes() market.Qty {
	exits, stop := market.Qty{}, most(g.Stops)
	for _, e := range g.Exits {
		if e.Type != order.Stop {
			exits = exits.Add(e.MostLeft())
		} else if stop.Less(e.MostLeft()) {
			stop = e.MostLeft()
		}
	}
	if stop.Less(exits) {
		return exits
	}
	return stop
}

// room is what is left of the position beside all orders but those of one group.
func (r *Rests) room(but *Group) market.Qty {
	left := r.pos.Sub(sum(r.free))
	for _, g := range r.Groups {
		if g != but {
			left = left.Sub(g.takes())
		}
	}
	return left
}

// Join returns the group for another order against the position: the one whose
// stop leaves most beside the exits that are in it; without a stop, one in which
// exits wait for theirs. Nil is a new one. A used group is returned only when
// each stop is of one: who asks has to wait until that is replaced.
func (r *Rests) Join() (best *Group) {
	var rank int
	var leaves market.Qty
	for _, g := range r.Groups {
		n, left := 0, most(g.Stops).Sub(sum(g.Exits))
		switch {
		case g.Name == "":
		case len(g.Stops) > 0 && !g.Used:
			n = 3
		case len(g.Stops) > 0:
			n = 2
		case !g.Used:
			n = 1
		}
		if n > rank || n > 0 && n == rank && leaves.Less(left) {
			best, rank, leaves = g, n, left
		}
	}
	return best
}

// Splits reports whether an order in a group could, beside the stops of others
// and the orders outside of all groups, turn the position over; and how much of it
// can be closed in that group. Of a change, the order that it is about is left out;
// nil for a new order.
func (r *Rests) Splits(name string, qty market.Qty, but *order.Order) (most market.Qty, splits bool) {
	most = r.pos
	for _, e := range r.free {
		if !broker.Same(&e.Order, but) {
			most = most.Sub(e.MostLeft())
		}
	}
	for _, g := range r.Groups {
		if g.Name != name && len(g.Stops) > 0 {
			most, splits = most.Sub(g.takes()), true
		}
	}
	return most, splits && most.Less(qty)
}

// Stops are the desk's own against the position, by their groups.
func (r *Rests) Stops() (list []*books.Entry) {
	for _, g := range r.Groups {
		list = append(list, g.Stops...)
	}
	return list
}

// held is for how much the broker has confirmed stops against the position, the
// desk's or anybody's.
func (r *Rests) held() (q market.Qty) {
	for _, e := range r.Stops() {
		switch e.State {
		case order.Accepted, order.Working, order.Partial:
			q = q.Add(e.Remaining())
		default: // it may be there, and nobody knows
		}
	}
	for _, e := range r.free {
		if e.State != order.Unknown && (e.Type == order.Stop || e.Type == order.Trail) {
			q = q.Add(e.Remaining())
		}
	}
	return q
}

// Name makes the name of a group, or the reference of a stop, that no other has:
// numbers rise with each order of a client, and market time keeps apart those of
// other accounts and clients that share a journal.
func Name(s market.Symbol, at time.Time, number int64) string {
	return books.GuardPrefix + strings.ReplaceAll(string(s), " ", ".") + "-" +
		strconv.FormatInt(at.Unix(), 36) + "-" + strconv.FormatInt(number, 10)
}

// inferred returns the name of a group whose stop against a position is called
// ended though the broker never said so, "" without one. If that rests after all,
// one beside it in its group is safe.
func inferred(b *books.Books, who *broker.Facts, s market.Symbol, side order.Side) string {
	all := b.All()
	for _, e := range slices.Backward(all) {
		if e.Symbol == s && e.Side == side && e.Protects() && e.Inferred() && b.Ours(who, e) && e.OCA != "" && !b.Used(e.OCA, nil) {
			return e.OCA
		}
	}
	return ""
}
