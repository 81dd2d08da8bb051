package venue

// The codes of errMsg about orders and accounts, section 8 of the protocol
// sheet. Those with five digits beside 10147 to 10149 and 10349 are from
// general knowledge.
const (
	CannotModify      = 104
	Mismatch          = 105
	UnknownOrder      = 135 // of a cancel, in older words than UnknownCancel
	NotCancellable    = 161 // in older words than CannotCancel
	OrderMessage      = 399
	AccountReplaced   = 2100
	AccountRefused    = 2101
	StillProcessing   = 2102
	MissingParent     = 10006
	FractionalSize    = 10243
	CashQuantity      = 10244
	PresetApplied     = 10349
	CannotModifyText  = "Cannot modify a filled order."
	MismatchText      = "Order being modified does not match original order."
	DuplicateText     = "Duplicate order id"
	MissingParentText = "Missing parent order."
)
