/// What a program of classic BPF computes from a frame. All are numbers of 32 bits.
enum FrameValue: Hashable {
    case constant(UInt32)
    /// Of the whole frame, in bytes.
    case length
    /// What is behind the place that a value says, in bytes; 0: nothing.
    case rest(after: ValueID)
    /// By how much one value is more than another; 0: it is not.
    case excess(ValueID, over: ValueID)
    /// 1, 2 or 4 bytes in network order, at the place that a value says and `offset` behind it.
    case load(bytes: Int, index: ValueID, offset: UInt32)
    /// With one of `ALU`.
    case operation(UInt8, ValueID, ValueID)
    case negated(ValueID)
}

typealias ValueID = Int

/// BPF_OP of BPF_ALU.
enum ALU {
    static let add: UInt8 = 0x00, sub: UInt8 = 0x10, mul: UInt8 = 0x20, or: UInt8 = 0x40, and: UInt8 = 0x50
    static let lsh: UInt8 = 0x60, rsh: UInt8 = 0x70, xor: UInt8 = 0xa0
}

/// Why programs cannot be joined. Nobody is told: they run one by one.
struct NotJoinable: Error {}

/// Equal values have the same number, so that what one rule has computed or asked serves those behind it.
struct FrameValues {
    private(set) var all: [FrameValue] = []
    /// By value: the most that it can be.
    private(set) var most: [UInt32] = []
    private var known: [FrameValue: ValueID] = [:]

    static let zero: ValueID = 0, length: ValueID = 1

    init() {
        _ = id(.constant(0))
        _ = id(.length)
    }

    subscript(_ id: ValueID) -> FrameValue { all[id] }

    func constant(_ id: ValueID) -> UInt32? { if case .constant(let value) = all[id] { value } else { nil } }

    mutating func number(_ value: UInt32) -> ValueID { id(.constant(value)) }

    mutating func id(_ value: FrameValue) -> ValueID {
        if let id = known[value] { return id }
        known[value] = all.count
        all.append(value)
        most.append(upperBound(value))
        return all.count - 1
    }

    /// - Throws: NotJoinable, if the place is one that no frame has.
    mutating func load(bytes: Int, index: ValueID, offset: UInt32) throws -> ValueID {
        guard let fixed = constant(index) else { return id(.load(bytes: bytes, index: index, offset: offset)) }
        let (place, overflows) = offset.addingReportingOverflow(fixed)
        guard !overflows else { throw NotJoinable() }
        return id(.load(bytes: bytes, index: Self.zero, offset: place))
    }

    mutating func rest(after index: ValueID) -> ValueID { index == Self.zero ? Self.length : id(.rest(after: index)) }

    /// - Throws: NotJoinable, for what hardly any rule has: divisions, and shifts that are computed or too long.
    mutating func operation(_ code: UInt8, _ left: ValueID, _ right: ValueID) throws -> ValueID {
        let constant = constant(right)
        switch code {
        case ALU.lsh, ALU.rsh: guard let constant, constant < 32 else { throw NotJoinable() }
        case ALU.add, ALU.sub, ALU.mul, ALU.or, ALU.and, ALU.xor: break
        default: throw NotJoinable()
        }
        guard let left = self.constant(left), let right = constant else { return id(.operation(code, left, right)) }
        return number(Self.result(code, left, right))
    }

    private static func result(_ code: UInt8, _ left: UInt32, _ right: UInt32) -> UInt32 {
        switch code {
        case ALU.add: left &+ right
        case ALU.sub: left &- right
        case ALU.mul: left &* right
        case ALU.or: left | right
        case ALU.and: left & right
        case ALU.lsh: left << right
        case ALU.rsh: left >> right
        default: left ^ right
        }
    }

    private func upperBound(_ value: FrameValue) -> UInt32 {
        switch value {
        case .constant(let value): return value
        case .length, .rest, .excess, .negated: return .max
        case .load(let bytes, _, _): return bytes == 4 ? .max : (1 << UInt32(8 * bytes)) - 1
        case .operation(let code, let left, let right):
            let left = most[left], right = most[right]
            switch code {
            case ALU.and: return min(left, right)
            case ALU.add: return left.addingReportingOverflow(right).overflow ? .max : left + right
            case ALU.rsh: return left >> right
            case ALU.lsh: return left > UInt32.max >> right ? .max : left << right
            default: return .max
            }
        }
    }

    /// A value as bits of another: itself, or what a constant leaves of it.
    func masked(_ id: ValueID) -> (base: ValueID, mask: UInt32) {
        if case .operation(ALU.and, let left, let right) = all[id], let mask = constant(right) { (left, mask) } else { (id, .max) }
    }
}
