package hub

// Lag tells how many messages wait for the slowest client, after how many a
// client is closed as too slow, and how many messages were broadcast since the
// start.
func (h *Hub) Lag() (waiting, most int, sent uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		waiting = max(waiting, len(c.queue))
	}
	return waiting, max(1, h.cfg.Queue), h.sent
}
