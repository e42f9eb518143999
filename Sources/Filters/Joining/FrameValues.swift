/// A value that a classic BPF program computes from a frame. All values are unsigned numbers of 32 bits.
enum FrameValue: Hashable {
    case constant(UInt32)
    /// The length of the whole frame in bytes.
    case length
    /// The number of bytes that the frame has from the offset on that another value gives; 0 if the frame ends before it.
    case rest(after: ValueID)
    /// The difference by which one value exceeds another; 0 if it does not exceed it.
    case excess(ValueID, over: ValueID)
    /// The 1, 2 or 4 bytes of the frame, in network byte order, at the offset `index` + `offset`, where `index` is another value.
    case load(bytes: Int, index: ValueID, offset: UInt32)
    /// The result of one of the operations in `ALU` on two values.
    case operation(UInt8, ValueID, ValueID)
    case negated(ValueID)
}

typealias ValueID = Int

/// The operations of class BPF_ALU that can be joined, as BPF_OP encodes them.
enum ALU {
    static let add: UInt8 = 0x00, sub: UInt8 = 0x10, mul: UInt8 = 0x20, or: UInt8 = 0x40, and: UInt8 = 0x50
    static let lsh: UInt8 = 0x60, rsh: UInt8 = 0x70, xor: UInt8 = 0xa0
}

/// Thrown when programs cannot be joined. It is not reported to the user, because the programs then run one by one with the same result.
struct NotJoinable: Error {}

/// All values that a set of rules computes, each under a number. Equal values have the same number, so that the rules share what they compute and ask.
struct FrameValues {
    private(set) var all: [FrameValue] = []
    /// For each value an upper bound.
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

    /// The number of a load. An index that is a constant becomes part of the offset.
    ///
    /// - Throws: `NotJoinable` if the offset exceeds 32 bits, which no frame has.
    mutating func load(bytes: Int, index: ValueID, offset: UInt32) throws -> ValueID {
        guard let fixed = constant(index) else { return id(.load(bytes: bytes, index: index, offset: offset)) }
        let (place, overflows) = offset.addingReportingOverflow(fixed)
        guard !overflows else { throw NotJoinable() }
        return id(.load(bytes: bytes, index: Self.zero, offset: place))
    }

    mutating func rest(after index: ValueID) -> ValueID { index == Self.zero ? Self.length : id(.rest(after: index)) }

    /// The number of the result of an operation, which is computed here if both operands are constants.
    ///
    /// - Throws: `NotJoinable` for operations that hardly any rule has: divisions, and shifts by a computed number of bits or by more than 31.
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

    /// Splits a value that is another value ANDed with a constant into these two. Any other value is returned as it is, with a mask of all bits.
    func masked(_ id: ValueID) -> (base: ValueID, mask: UInt32) {
        if case .operation(ALU.and, let left, let right) = all[id], let mask = constant(right) { (left, mask) } else { (id, .max) }
    }
}
