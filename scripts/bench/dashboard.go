package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robotrader/scripts/rig"
)

// watch is a dashboard for a while; it returns how many messages came.
func watch(ctx context.Context, addr string, d time.Duration) (messages int, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err = rig.Follow(ctx, addr, func([]byte) { messages++ })
	switch {
	case !errors.Is(err, context.DeadlineExceeded):
		return messages, err
	case messages == 0:
		return 0, fmt.Errorf("no message came over the feed within %v", d)
	}
	return messages, nil
}
