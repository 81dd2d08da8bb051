package books

// Ring is a map that forgets its oldest key when it is full.
type Ring[K comparable, V any] struct {
	m    map[K]V
	keys []K
	next int // where the next key goes, once full
	cap  int
}

// NewRing returns a ring for n keys.
func NewRing[K comparable, V any](n int) Ring[K, V] { return Ring[K, V]{m: map[K]V{}, cap: n} }

// Get returns what is kept for a key, the zero value when nothing is.
func (r *Ring[K, V]) Get(k K) V { return r.m[k] }

// Put keeps a value; the oldest key goes when there are too many.
func (r *Ring[K, V]) Put(k K, v V) {
	if _, ok := r.m[k]; !ok {
		if len(r.keys) < r.cap {
			r.keys = append(r.keys, k)
		} else {
			delete(r.m, r.keys[r.next])
			r.keys[r.next] = k
			r.next = (r.next + 1) % r.cap
		}
	}
	r.m[k] = v
}
