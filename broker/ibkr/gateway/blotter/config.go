package blotter

import "time"

// Config says how orders are treated beyond what venue and exchange decide.
type Config struct {
	// PresetTIF tells with code 10349 that an order without a time in force
	// became a DAY order, as gateways with an order preset do. The order is
	// live all the same. Default false.
	PresetTIF bool
	// OldCancelCodes answers a cancel that finds nothing with 135 and one that
	// comes too late with 161, as older gateways do, in place of 10147 and
	// 10148. Default false.
	OldCancelCodes bool
	// ModifyWait refuses a change of an order that comes within this market
	// time of its placing or of its last change, with code 2102. Default 0:
	// never.
	ModifyWait time.Duration
}

// The bounds of the blotter.
const (
	// maxEnded bounds the orders that have ended and are still known, of all
	// clients together. Those of an earlier day go first, then the oldest.
	maxEnded = 10_000
	// maxOpen bounds a client's open orders; one more is rejected with code
	// 201. The exchange bounds those of all clients together.
	maxOpen = 5_000
	// maxOrderID is the greatest order id that leaves room to rise in 32 bits.
	maxOrderID = 1<<31 - 2
)
