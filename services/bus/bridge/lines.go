package bridge

import (
	"context"
	"net"
	"time"
)

// dialWithin bounds the dialling of one node.
const dialWithin = 2 * time.Second

// lines dials for the connections to a cluster, and can end all that it dialled
// at once. The NATS client holds its lock while it dials and shakes hands, and
// whoever asks it anything waits: without this, a cluster that accepts and says
// nothing held up the bridge's end for seconds.
type lines struct {
	ctx context.Context // ends with end
	end context.CancelFunc
}

func newLines() *lines {
	l := &lines{}
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

// Dial implements the client's interface for dialling.
func (l *lines) Dial(network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialWithin} // a NATS node's: no gateway's port comes here
	c, err := d.DialContext(l.ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &line{c, context.AfterFunc(l.ctx, func() { _ = c.Close() })}, nil
}

// line is a socket that ends with its lines.
type line struct {
	net.Conn
	leave func() bool
}

// Close implements [net.Conn].
func (l *line) Close() error {
	l.leave()
	return l.Conn.Close()
}
