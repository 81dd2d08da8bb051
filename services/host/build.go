package host

import "context"

// Build returns the build of the gateway behind address, such as "10.37" or
// "10.41.1d", as its command line or folder tells it. It is "" where that
// cannot be seen: another machine, another user's process, a forwarder.
func (m *Machine) Build(ctx context.Context, address string) string {
	list, err := m.Gateways(ctx, address)
	if err != nil {
		return ""
	}
	for _, g := range list {
		if g.Listens {
			return g.Version
		}
	}
	return ""
}
