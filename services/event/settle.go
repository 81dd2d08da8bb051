package event

// The words by which a person settles an order whose outcome stays unknown.
const (
	SettleAbsent    = "absent"    // the broker never had it
	SettleFilled    = "filled"    // it is full; the executions did not come
	SettleCancelled = "cancelled" // it ended with what its executions say, or with no more than the position shows
)

// Settling is what a person says of an order.
type Settling struct {
	Ref    string `json:"ref"`    // the order's reference, or its permanent id
	As     string `json:"as"`     // absent, filled, cancelled
	Reason string `json:"reason"` // where that was seen, for the record
}
