package fault

// CodeText is what the venue says with a code that is about no request, as far
// as it is known (from general knowledge, except where section 8 of the
// protocol sheet has it). It is empty for others.
func CodeText(code int) string { return codeTexts[code] }

var codeTexts = map[int]string{
	1100:  "Connectivity between IBKR and Trader Workstation has been lost.",
	1101:  "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
	1102:  "Connectivity between IBKR and Trader Workstation has been restored - data maintained.",
	1300:  "TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port.",
	2103:  "Market data farm connection is broken:usfarm",
	2104:  "Market data farm connection is OK:usfarm",
	2105:  "HMDS data farm connection is broken:ushmds",
	2106:  "HMDS data farm connection is OK:ushmds",
	2107:  "HMDS data farm connection is inactive but should be available upon demand.ushmds",
	2108:  "Market data farm connection is inactive but should be available upon demand.usfarm",
	2110:  "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
	2119:  "Market data farm is connecting:usfarm",
	2157:  "Sec-def data farm connection is broken:secdefnj",
	2158:  "Sec-def data farm connection is OK:secdefnj",
	10182: "Failed to request live updates (disconnected).",
	10197: "No market data during competing live session",
	10225: "Bust event occurred, current subscription is deactivated. Please resubscribe real-time bars immediately.",
}

// FarmCodes are the notices of a farm, by its kind: the name of a farm of past
// data holds "hmds", that of one of definitions begins with "secdef"; others
// are of market data.
type FarmCodes struct{ Broken, OK, Idle int }

// Farms tells the three kinds apart. section 8.
func Farms(kind FarmKind) FarmCodes {
	switch kind {
	case PastData:
		return FarmCodes{2105, 2106, 2107}
	case Definitions:
		return FarmCodes{2157, 2158, 2158} // no code for an idle one is known
	}
	return FarmCodes{2103, 2104, 2108}
}

// FarmKind is what a farm serves.
type FarmKind uint8

// The kinds of farm.
const (
	MarketData FarmKind = iota
	PastData
	Definitions
)
