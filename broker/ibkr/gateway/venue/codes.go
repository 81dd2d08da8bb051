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
	MaxBooks        = 309
	NoBook          = 310
	BookReset       = 317
	ServerRead      = 320
	Validation      = 321
	Processing      = 322
	ClientIDInUse   = 326
	AutoBind        = 327
	NotSubscribed   = 354
	NoQuery         = 366
	BadRealTime     = 420
	NoAccount       = 435
	BadLength       = 507
	UnknownCancel   = 10147
	CannotCancel    = 10148
	DelayedFollows  = 10167
	NoDelayed       = 10186
	NoPastTicks     = 10187
	NoTickStream    = 10189
	MaxTickStreams  = 10190
	Competing       = 10197
)

// NoID is the id of an errMsg that is about no request.
const NoID = -1

// NoContractText goes with [NoContract].
const NoContractText = "No security definition has been found for the request"

// ReadOnlyText goes with [Validation] where the gateway is read-only; it names
// the request.
const ReadOnlyText = "Error validating request.-'%s' : cause - The API interface is currently in Read-Only mode."
