package wire

import (
	"fmt"
	"strings"
)

// Message is one message of either direction. The structs of this package
// implement it on their values.
type Message interface {
	// ID is the message's id in its direction.
	ID() int
	// Append appends the payload, id and fields, without the length prefix. On
	// an error dst comes back as it was; the error is a [*FieldError] or wraps
	// [ErrVersion].
	Append(dst []byte, v Version) ([]byte, error)
}

// The ids of messages from client to server. Section 3.
const (
	IDReqMktData                = 1
	IDCancelMktData             = 2
	IDPlaceOrder                = 3
	IDCancelOrder               = 4
	IDReqOpenOrders             = 5
	IDReqAccountUpdates         = 6
	IDReqExecutions             = 7
	IDReqIDs                    = 8
	IDReqContractDetails        = 9
	IDReqMktDepth               = 10
	IDCancelMktDepth            = 11
	IDReqNewsBulletins          = 12
	IDCancelNewsBulletins       = 13
	IDSetServerLogLevel         = 14
	IDReqAutoOpenOrders         = 15
	IDReqAllOpenOrders          = 16
	IDReqManagedAccts           = 17
	IDReqHistoricalData         = 20
	IDCancelHistoricalData      = 25
	IDReqCurrentTime            = 49
	IDReqRealTimeBars           = 50
	IDCancelRealTimeBars        = 51
	IDReqGlobalCancel           = 58
	IDReqMarketDataType         = 59
	IDReqPositions              = 61
	IDReqAccountSummary         = 62
	IDCancelAccountSummary      = 63
	IDCancelPositions           = 64
	IDStartAPI                  = 71
	IDReqPositionsMulti         = 74
	IDCancelPositionsMulti      = 75
	IDReqAccountUpdatesMulti    = 76
	IDCancelAccountUpdatesMulti = 77
	IDReqSecDefOptParams        = 78
	IDReqSoftDollarTiers        = 79
	IDReqFamilyCodes            = 80
	IDReqMatchingSymbols        = 81
	IDReqDepthExchanges         = 82
	IDReqSmartComponents        = 83
	IDReqHeadTimestamp          = 87
	IDCancelHeadTimestamp       = 90
	IDReqMarketRule             = 91
	IDReqPnL                    = 92
	IDCancelPnL                 = 93
	IDReqPnLSingle              = 94
	IDCancelPnLSingle           = 95
	IDReqHistoricalTicks        = 96
	IDReqTickByTick             = 97
	IDCancelTickByTick          = 98
	IDReqCompletedOrders        = 99
	IDReqUserInfo               = 104
	IDReqTimeInMillis           = 105
)

// The ids of messages from server to client. Section 3.
const (
	IDTickPrice             = 1
	IDTickSize              = 2
	IDOrderStatus           = 3
	IDErrMsg                = 4
	IDOpenOrder             = 5
	IDAccountValue          = 6
	IDPortfolioValue        = 7
	IDAcctUpdateTime        = 8
	IDNextValidID           = 9
	IDContractData          = 10
	IDExecDetails           = 11
	IDMarketDepth           = 12
	IDMarketDepthL2         = 13
	IDNewsBulletin          = 14
	IDManagedAccts          = 15
	IDHistoricalData        = 17
	IDBondContractData      = 18
	IDTickOptionComputation = 21
	IDTickGeneric           = 45
	IDTickString            = 46
	IDCurrentTime           = 49
	IDRealTimeBar           = 50
	IDContractDataEnd       = 52
	IDOpenOrderEnd          = 53
	IDAcctDownloadEnd       = 54
	IDExecDetailsEnd        = 55
	IDTickSnapshotEnd       = 57
	IDMarketDataType        = 58
	IDCommissionReport      = 59
	IDPosition              = 61
	IDPositionEnd           = 62
	IDAccountSummary        = 63
	IDAccountSummaryEnd     = 64
	IDPositionMulti         = 71
	IDPositionMultiEnd      = 72
	IDAccountUpdateMulti    = 73
	IDAccountUpdateMultiEnd = 74
	IDSecDefOptParams       = 75
	IDSecDefOptParamsEnd    = 76
	IDSoftDollarTiers       = 77
	IDFamilyCodes           = 78
	IDSymbolSamples         = 79
	IDDepthExchanges        = 80
	IDTickReqParams         = 81
	IDSmartComponents       = 82
	IDHeadTimestamp         = 88
	IDHistoricalDataUpdate  = 90
	IDRerouteMktData        = 91
	IDRerouteMktDepth       = 92
	IDMarketRule            = 93
	IDPnL                   = 94
	IDPnLSingle             = 95
	IDHistoricalTicks       = 96
	IDHistoricalTicksBidAsk = 97
	IDHistoricalTicksLast   = 98
	IDTickByTick            = 99
	IDOrderBound            = 100
	IDCompletedOrder        = 101
	IDCompletedOrdersEnd    = 102
	IDHistoricalSchedule    = 106
	IDUserInfo              = 107
	IDHistoricalDataEnd     = 108
	IDTimeInMillis          = 109
)

// entry is one row of a table: a message's name, and the function that reads
// its fields after the id.
type entry struct {
	name string
	read func(*reader) Message
}

// into makes the function of an entry out of a message's read method.
func into[M Message, P interface {
	*M
	read(*reader)
}](r *reader) Message {
	var m M
	P(&m).read(r)
	return m
}

// walked is into for a message with one walk for both directions.
func walked[M Message, P interface {
	*M
	walk(*walk)
}](r *reader) Message {
	var m M
	P(&m).walk(reading(r))
	return m
}

// serverTable leads from the id of a server's message to its decoder.
var serverTable = [...]entry{
	IDTickPrice:             {"tickPrice", into[TickPrice]},
	IDTickSize:              {"tickSize", into[TickSize]},
	IDOrderStatus:           {"orderStatus", into[OrderStatus]},
	IDErrMsg:                {"errMsg", into[ErrMsg]},
	IDOpenOrder:             {"openOrder", into[OpenOrder]},
	IDAccountValue:          {"accountValue", into[AccountValue]},
	IDPortfolioValue:        {"portfolioValue", into[PortfolioValue]},
	IDAcctUpdateTime:        {"acctUpdateTime", into[AcctUpdateTime]},
	IDNextValidID:           {"nextValidId", into[NextValidID]},
	IDContractData:          {"contractData", into[ContractData]},
	IDExecDetails:           {"execDetails", into[ExecDetails]},
	IDMarketDepth:           {"marketDepth", into[MarketDepth]},
	IDMarketDepthL2:         {"marketDepthL2", into[MarketDepthL2]},
	IDNewsBulletin:          {"newsBulletins", walked[NewsBulletin]},
	IDManagedAccts:          {"managedAccts", into[ManagedAccts]},
	IDHistoricalData:        {"historicalData", into[HistoricalData]},
	IDBondContractData:      {"bondContractData", walked[BondContractData]},
	IDTickOptionComputation: {"tickOptionComputation", into[TickOptionComputation]},
	IDTickGeneric:           {"tickGeneric", into[TickGeneric]},
	IDTickString:            {"tickString", into[TickString]},
	IDCurrentTime:           {"currentTime", into[CurrentTime]},
	IDRealTimeBar:           {"realTimeBars", into[RealTimeBar]},
	IDContractDataEnd:       {"contractDataEnd", into[ContractDataEnd]},
	IDOpenOrderEnd:          {"openOrderEnd", into[OpenOrderEnd]},
	IDAcctDownloadEnd:       {"acctDownloadEnd", into[AcctDownloadEnd]},
	IDExecDetailsEnd:        {"execDetailsEnd", into[ExecDetailsEnd]},
	IDTickSnapshotEnd:       {"tickSnapshotEnd", into[TickSnapshotEnd]},
	IDMarketDataType:        {"marketDataType", into[MarketDataType]},
	IDCommissionReport:      {"commissionReport", into[CommissionReport]},
	IDPosition:              {"position", into[Position]},
	IDPositionEnd:           {"positionEnd", into[PositionEnd]},
	IDAccountSummary:        {"accountSummary", into[AccountSummary]},
	IDAccountSummaryEnd:     {"accountSummaryEnd", into[AccountSummaryEnd]},
	IDPositionMulti:         {"positionMulti", walked[PositionMulti]},
	IDPositionMultiEnd:      {"positionMultiEnd", walked[PositionMultiEnd]},
	IDAccountUpdateMulti:    {"accountUpdateMulti", walked[AccountUpdateMulti]},
	IDAccountUpdateMultiEnd: {"accountUpdateMultiEnd", walked[AccountUpdateMultiEnd]},
	IDSecDefOptParams:       {"securityDefinitionOptionParameter", walked[SecDefOptParams]},
	IDSecDefOptParamsEnd:    {"securityDefinitionOptionParameterEnd", walked[SecDefOptParamsEnd]},
	IDSoftDollarTiers:       {"softDollarTiers", walked[SoftDollarTiers]},
	IDFamilyCodes:           {"familyCodes", walked[FamilyCodes]},
	IDSymbolSamples:         {"symbolSamples", walked[SymbolSamples]},
	IDDepthExchanges:        {"mktDepthExchanges", walked[DepthExchanges]},
	IDTickReqParams:         {"tickReqParams", into[TickReqParams]},
	IDSmartComponents:       {"smartComponents", walked[SmartComponents]},
	IDHeadTimestamp:         {"headTimestamp", walked[HeadTimestamp]},
	IDHistoricalDataUpdate:  {"historicalDataUpdate", into[HistoricalDataUpdate]},
	IDRerouteMktData:        {"rerouteMktData", into[RerouteMktData]},
	IDRerouteMktDepth:       {"rerouteMktDepth", walked[RerouteMktDepth]},
	IDMarketRule:            {"marketRule", walked[MarketRule]},
	IDPnL:                   {"pnl", walked[PnL]},
	IDPnLSingle:             {"pnlSingle", walked[PnLSingle]},
	IDHistoricalTicks:       {"historicalTicks", into[HistoricalTicks]},
	IDHistoricalTicksBidAsk: {"historicalTicksBidAsk", into[HistoricalTicksBidAsk]},
	IDHistoricalTicksLast:   {"historicalTicksLast", into[HistoricalTicksLast]},
	IDTickByTick:            {"tickByTick", into[TickByTick]},
	IDOrderBound:            {"orderBound", into[OrderBound]},
	IDCompletedOrder:        {"completedOrder", walked[CompletedOrder]},
	IDCompletedOrdersEnd:    {"completedOrdersEnd", into[CompletedOrdersEnd]},
	IDHistoricalSchedule:    {"historicalSchedule", into[HistoricalSchedule]},
	IDUserInfo:              {"userInfo", walked[UserInfo]},
	IDHistoricalDataEnd:     {"historicalDataEnd", into[HistoricalDataEnd]},
	IDTimeInMillis:          {"currentTimeInMillis", into[TimeInMillis]},
}

// clientTable leads from the id of a client's message to its decoder.
var clientTable = [...]entry{
	IDReqMktData:                {"reqMktData", walked[ReqMktData]},
	IDCancelMktData:             {"cancelMktData", into[CancelMktData]},
	IDPlaceOrder:                {"placeOrder", into[PlaceOrder]},
	IDCancelOrder:               {"cancelOrder", into[CancelOrder]},
	IDReqOpenOrders:             {"reqOpenOrders", into[ReqOpenOrders]},
	IDReqAccountUpdates:         {"reqAccountUpdates", into[ReqAccountUpdates]},
	IDReqExecutions:             {"reqExecutions", into[ReqExecutions]},
	IDReqIDs:                    {"reqIds", into[ReqIDs]},
	IDReqContractDetails:        {"reqContractDetails", into[ReqContractDetails]},
	IDReqMktDepth:               {"reqMktDepth", walked[ReqMktDepth]},
	IDCancelMktDepth:            {"cancelMktDepth", walked[CancelMktDepth]},
	IDReqNewsBulletins:          {"reqNewsBulletins", walked[ReqNewsBulletins]},
	IDCancelNewsBulletins:       {"cancelNewsBulletins", into[CancelNewsBulletins]},
	IDSetServerLogLevel:         {"setServerLogLevel", into[SetServerLogLevel]},
	IDReqAutoOpenOrders:         {"reqAutoOpenOrders", into[ReqAutoOpenOrders]},
	IDReqAllOpenOrders:          {"reqAllOpenOrders", into[ReqAllOpenOrders]},
	IDReqManagedAccts:           {"reqManagedAccts", into[ReqManagedAccts]},
	IDReqHistoricalData:         {"reqHistoricalData", walked[ReqHistoricalData]},
	IDCancelHistoricalData:      {"cancelHistoricalData", into[CancelHistoricalData]},
	IDReqCurrentTime:            {"reqCurrentTime", into[ReqCurrentTime]},
	IDReqRealTimeBars:           {"reqRealTimeBars", walked[ReqRealTimeBars]},
	IDCancelRealTimeBars:        {"cancelRealTimeBars", walked[CancelRealTimeBars]},
	IDReqGlobalCancel:           {"reqGlobalCancel", into[ReqGlobalCancel]},
	IDReqMarketDataType:         {"reqMarketDataType", into[ReqMarketDataType]},
	IDReqPositions:              {"reqPositions", into[ReqPositions]},
	IDReqAccountSummary:         {"reqAccountSummary", into[ReqAccountSummary]},
	IDCancelAccountSummary:      {"cancelAccountSummary", into[CancelAccountSummary]},
	IDCancelPositions:           {"cancelPositions", into[CancelPositions]},
	IDStartAPI:                  {"startApi", into[StartAPI]},
	IDReqPositionsMulti:         {"reqPositionsMulti", walked[ReqPositionsMulti]},
	IDCancelPositionsMulti:      {"cancelPositionsMulti", walked[CancelPositionsMulti]},
	IDReqAccountUpdatesMulti:    {"reqAccountUpdatesMulti", walked[ReqAccountUpdatesMulti]},
	IDCancelAccountUpdatesMulti: {"cancelAccountUpdatesMulti", walked[CancelAccountUpdatesMulti]},
	IDReqSecDefOptParams:        {"reqSecDefOptParams", walked[ReqSecDefOptParams]},
	IDReqSoftDollarTiers:        {"reqSoftDollarTiers", walked[ReqSoftDollarTiers]},
	IDReqFamilyCodes:            {"reqFamilyCodes", into[ReqFamilyCodes]},
	IDReqMatchingSymbols:        {"reqMatchingSymbols", walked[ReqMatchingSymbols]},
	IDReqDepthExchanges:         {"reqMktDepthExchanges", into[ReqDepthExchanges]},
	IDReqSmartComponents:        {"reqSmartComponents", walked[ReqSmartComponents]},
	IDReqHeadTimestamp:          {"reqHeadTimestamp", walked[ReqHeadTimestamp]},
	IDCancelHeadTimestamp:       {"cancelHeadTimestamp", walked[CancelHeadTimestamp]},
	IDReqMarketRule:             {"reqMarketRule", walked[ReqMarketRule]},
	IDReqPnL:                    {"reqPnL", walked[ReqPnL]},
	IDCancelPnL:                 {"cancelPnL", walked[CancelPnL]},
	IDReqPnLSingle:              {"reqPnLSingle", walked[ReqPnLSingle]},
	IDCancelPnLSingle:           {"cancelPnLSingle", walked[CancelPnLSingle]},
	IDReqHistoricalTicks:        {"reqHistoricalTicks", walked[ReqHistoricalTicks]},
	IDReqTickByTick:             {"reqTickByTickData", walked[ReqTickByTick]},
	IDCancelTickByTick:          {"cancelTickByTickData", walked[CancelTickByTick]},
	IDReqCompletedOrders:        {"reqCompletedOrders", into[ReqCompletedOrders]},
	IDReqUserInfo:               {"reqUserInfo", walked[ReqUserInfo]},
	IDReqTimeInMillis:           {"reqCurrentTimeInMillis", into[ReqTimeInMillis]},
}

// DecodeServer reads the payload of a message from server to client. The
// result shares no memory with payload. A message that it does not know is an
// [Unknown].
func DecodeServer(v Version, payload []byte) (Message, error) {
	m, _, err := decode(serverTable[:], false, v, payload)
	return m, err
}

// DecodeClient is DecodeServer for a message from client to server.
func DecodeClient(v Version, payload []byte) (Message, error) {
	m, _, err := decode(clientTable[:], true, v, payload)
	return m, err
}

// DecodeServerStrict is DecodeServer that also refuses fields after the last
// one known, with [ErrLeftover]: for tests and for looking at recorded frames.
func DecodeServerStrict(v Version, payload []byte) (Message, error) {
	return strict(decode(serverTable[:], false, v, payload))
}

// DecodeClientStrict is DecodeServerStrict for a client's message.
func DecodeClientStrict(v Version, payload []byte) (Message, error) {
	return strict(decode(clientTable[:], true, v, payload))
}

func strict(m Message, left []byte, err error) (Message, error) {
	if err == nil && len(left) > 0 {
		return nil, fieldError(fmt.Sprintf("message %d", m.ID()), "after the last", left, ErrLeftover)
	}
	return m, err
}

func decode(table []entry, client bool, v Version, payload []byte) (m Message, left []byte, err error) {
	if err := v.check(); err != nil {
		return nil, nil, err
	}
	r := &reader{v: v, msg: "message", rest: payload, client: client}
	idField := r.raw("id")
	id, ok := parseID(idField)
	if !ok && r.err == nil {
		r.fail("id", idField, ErrNotInteger)
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	if id >= len(table) || table[id].read == nil {
		return unknown(id, r.rest), nil, nil
	}
	r.msg = table[id].name
	m = table[id].read(r)
	if r.err != nil {
		return nil, nil, r.err
	}
	return m, r.rest, nil
}

// PeekID returns the message id of a payload without reading more of it.
func PeekID(payload []byte) (id int, ok bool) {
	for i, c := range payload {
		if c == 0 {
			return parseID(payload[:i])
		}
		if i == 9 {
			break
		}
	}
	return 0, false
}

func parseID(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	n, ok := parseInt(b)
	return int(n), ok && n >= 0
}

// Name returns the name of a server's message, such as "tickPrice", or
// "message 123" for one that is not known: for logs.
func Name(id int) string { return name(serverTable[:], id) }

// ClientName is Name for a client's message.
func ClientName(id int) string { return name(clientTable[:], id) }

func name(table []entry, id int) string {
	if id >= 0 && id < len(table) && table[id].name != "" {
		return table[id].name
	}
	return fmt.Sprintf("message %d", id)
}

const (
	maxUnknownFields = 64  // kept of an unknown message
	maxUnknownField  = 256 // bytes kept of each
)

// Unknown is a message whose id this package does not know, cut to 64 fields
// of 256 bytes: enough for a log.
type Unknown struct {
	IDNum  int
	Fields []string
}

func unknown(id int, rest []byte) Unknown {
	u := Unknown{IDNum: id}
	for len(rest) > 0 && len(u.Fields) < maxUnknownFields {
		n := 0
		for n < len(rest) && rest[n] != 0 {
			n++
		}
		u.Fields = append(u.Fields, strings.ToValidUTF8(string(rest[:min(n, maxUnknownField)]), "\uFFFD"))
		rest = rest[min(n+1, len(rest)):]
	}
	return u
}

// ID implements [Message].
func (m Unknown) ID() int { return m.IDNum }

// Append writes the fields that were kept.
func (m Unknown) Append(dst []byte, v Version) ([]byte, error) {
	w := serverMessage(dst, v, Name(m.IDNum), m.IDNum)
	for _, f := range m.Fields {
		w.str("field", f)
	}
	return w.finish()
}
