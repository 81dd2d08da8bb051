package gateway

// The codes of errMsg that this gateway writes, section 8 of the protocol
// sheet, except the farm notices, which stand where they are sent.
const (
	codeMaxRate         = 100
	codeMaxLines        = 101
	codeDuplicateTicker = 102
	codeDuplicateOrder  = 103
	codeOffGrid         = 110
	codeNoHistory       = 162
	codeNoContract      = 200
	codeRejected        = 201
	codeCancelled       = 202
	codeNoTicker        = 300
	codeServerRead      = 320
	codeValidation      = 321
	codeProcessing      = 322
	codeClientIDInUse   = 326
	codeAutoBind        = 327
	codeNoAccount       = 435
	codeBadLength       = 507
	codeUnknownCancel   = 10147
	codeCannotCancel    = 10148
)
