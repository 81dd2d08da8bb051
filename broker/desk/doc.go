// Package desk is what stands between the bus and a session: the only door to
// the broker for orders, and the only source of the broker's facts.
package desk
