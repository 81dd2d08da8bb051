package blotter

import "slices"

// Forget takes back the newest n order ids of every client, as a gateway does
// that restarts from an older state: next ids fall, and orders that have ended
// are not known by them any more. Orders that are open keep their ids, so that
// a client which takes such an id for a new order changes the old one.
func (b *Blotter) Forget(n int64) {
	if n <= 0 {
		return
	}
	for _, c := range b.clients {
		c.highest = max(0, c.highest-n)
		b.watch.client(c)
	}
	b.ended = slices.DeleteFunc(b.ended, func(p *placed) bool {
		c := b.clients[p.key.client]
		gone := p.key.order > 0 && c != nil && p.key.order > c.highest
		if gone {
			delete(b.placed, p.key)
			b.watch.forget(p)
		}
		return gone
	})
}
