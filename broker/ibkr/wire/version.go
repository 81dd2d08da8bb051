package wire

import "fmt"

// Version is the server version that both sides agreed on in the handshake,
// min(server's maximum, client's maximum). It chooses every layout.
type Version int

// The versions this package speaks. Below 176 nothing was checked; from 201
// on messages turn into protobuf behind a raw id. Protocol sheet, sections 2
// and 6.
const (
	MinVersion Version = 176
	MaxVersion Version = 200
)

// Supported reports whether v is between [MinVersion] and [MaxVersion].
func (v Version) Supported() bool { return v >= MinVersion && v <= MaxVersion }

func (v Version) check() error {
	if v.Supported() {
		return nil
	}
	return fmt.Errorf("%w: %d is not between %d and %d", ErrVersion, v, MinVersion, MaxVersion)
}

// What each version adds, from the protocol sheet, section 2, whose source is
// the official clients' server-version constants. A version without a constant
// changes no layout that this package has:
//
//	176 reqContractDetails gains issuerId; the least version, so it is always there
//	180 exerciseOptions gains manualOrderTime
//	181 openOrder's auction strategy, no change in any client's source
//	191 permId may need more than 32 bits: it is read with 64 everywhere
const (
	// faProfile leaves placeOrder, openOrder and completedOrder.
	verFAProfileGone Version = 177
	// execDetails gains pendingPriceRevision after lastLiquidity.
	verPendingPriceRevision Version = 178
	// contractData gains 17 fund fields, for secType FUND only.
	verFundData Version = 179
	// contractData gains lastTradeDate after lastTradeDateOrContractMonth.
	verLastTradeDate Version = 182
	// placeOrder, openOrder and completedOrder gain customerAccount.
	verCustomerAccount Version = 183
	// The same three gain professionalCustomer.
	verProfessionalCustomer Version = 184
	// openOrder gains bondAccruedInterest.
	verBondAccruedInterest Version = 185
	// contractData gains a count and (id, description) pairs.
	verIneligibility Version = 186
	// placeOrder and cancelOrder gain RFQ fields, which 190 takes back.
	verRFQ Version = 187
	// bondContractData gains time zone and hours after longName.
	verBondTradingHours Version = 188
	// placeOrder and openOrder gain includeOvernight.
	verIncludeOvernight Version = 189
	// The RFQ fields of 187 go.
	verRFQGone Version = 190
	// placeOrder gains manualOrderIndicator; cancelOrder and reqGlobalCancel
	// lose their version field and gain extOperator, manualOrderIndicator. A
	// gateway drops a cancel without them in silence.
	verCMETagging Version = 192
	// openOrder gains extOperator and manualOrderIndicator.
	verCMETaggingOpenOrder Version = 193
	// errMsg loses its version field and gains errorTime at its end.
	verErrorTime Version = 194
	// openOrder's what-if block grows.
	verFullOrderPreview Version = 195
	// Start and end leave historicalData for a message of their own, 108.
	verHistoricalDataEnd Version = 196
	// Request 105 and its reply 109 exist.
	verTimeInMillis Version = 197
	// openOrder, completedOrder and execDetails gain submitter.
	verSubmitter Version = 198
	// placeOrder and openOrder gain imbalanceOnly.
	verImbalanceOnly Version = 199
	// reqExecutions gains lastNDays and specific dates.
	verExecutionDays Version = 200
)
