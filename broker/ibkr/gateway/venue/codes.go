package venue

// The codes of errMsg that the gateway writes, section 8 of the protocol
// sheet, except the farm notices, which stand where they are sent.
const (
	MaxRate         = 100
	MaxLines        = 101
	DuplicateTicker = 102
	DuplicateOrder  = 103
	OffGrid         = 110
	NoHistory       = 162
	NoContract      = 200
	Rejected        = 201
	Cancelled       = 202
	NoTicker        = 300
	ServerRead      = 320
	Validation      = 321
	Processing      = 322
	ClientIDInUse   = 326
	AutoBind        = 327
	NoAccount       = 435
	BadLength       = 507
	UnknownCancel   = 10147
	CannotCancel    = 10148
)

// NoID is the id of an errMsg that is about no request.
const NoID = -1

// NoContractText goes with [NoContract].
const NoContractText = "No security definition has been found for the request"

// ReadOnlyText goes with [Validation] where the gateway is read-only; it names
// the request.
const ReadOnlyText = "Error validating request.-'%s' : cause - The API interface is currently in Read-Only mode."
