package broker

import "time"

// Timing is how long the stages of one allowed order's way out took.
type Timing struct {
	Trace, Ref string
	Gate       time.Duration // from the turn's begin to the decision
	Journal    time.Duration // until the intent was durable
	Wire       time.Duration // until the session had written it, or not
}
