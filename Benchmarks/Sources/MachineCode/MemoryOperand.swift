/// An operand of an x86-64 instruction that is in memory.
public struct MemoryOperand: Equatable, Sendable {
    /// What the address is relative to.
    public enum Base: Equatable, Sendable {
        case nothing
        /// A general register, by its number in machine code: 0 is rax, 4 rsp, 15 r15.
        case register(Int)
        /// The address of the next instruction.
        case next
    }

    public var base = Base.nothing
    /// The number of a general register that is added, and the factor that it is multiplied by.
    public var index: Int?
    public var scale: UInt64 = 1
    public var displacement: UInt64 = 0
    /// Whether the address is relative to the thread's own block, whose address is the base of %fs on Linux.
    public var isThreadLocal = false

    public init(base: Base = .nothing, index: Int? = nil, scale: UInt64 = 1, displacement: UInt64 = 0, isThreadLocal: Bool = false) {
        self.base = base
        self.index = index
        self.scale = scale
        self.displacement = displacement
        self.isThreadLocal = isThreadLocal
    }

    /// The address, computed from the registers before the instruction is executed.
    /// - Parameters:
    ///   - next: the address of the next instruction.
    ///   - threadBlock: the base of %fs.
    public func address(next: UInt64, threadBlock: UInt64, _ register: (Int) -> UInt64) -> UInt64 {
        var address = displacement
        switch base {
        case .nothing: break
        case .register(let number): address &+= register(number)
        case .next: address &+= next
        }
        if let index { address &+= register(index) &* scale }
        return isThreadLocal ? address &+ threadBlock : address
    }

    /// Parses an operand in the syntax of the GNU assembler: `-0x10(%rax,%rbx,8)`, `0x20(%rip)`, `%fs:0x28`. Returns nil if it is not in memory.
    init?(_ text: Substring) {
        var rest = text.first == "*" ? text.dropFirst() : text
        if let colon = rest.firstIndex(of: ":") {
            guard rest.first == "%" else { return nil }
            isThreadLocal = rest[..<colon] == "%fs"
            rest = rest[rest.index(after: colon)...]
        } else if !rest.contains("(") {
            return nil
        }
        let parenthesis = rest.firstIndex(of: "(") ?? rest.endIndex
        if parenthesis != rest.startIndex {
            guard let number = Self.number(rest[..<parenthesis]) else { return nil }
            displacement = number
        }
        guard parenthesis != rest.endIndex else { return }
        guard rest.last == ")" else { return nil }
        let parts = rest[rest.index(after: parenthesis)...].dropLast().split(separator: ",", omittingEmptySubsequences: false)
        switch parts.first {
        case "%rip": base = .next
        case "", nil: base = .nothing
        case .some(let name):
            guard let number = Register(name)?.number else { return nil }
            base = .register(number)
        }
        if parts.count > 1 {
            // GNU writes %riz if there is no index register.
            if parts[1] != "%riz" {
                guard let number = Register(parts[1])?.number else { return nil }
                index = number
            }
            scale = parts.count > 2 ? UInt64(parts[2]) ?? 1 : 1
        }
    }

    private static func number(_ text: Substring) -> UInt64? {
        let isNegative = text.first == "-"
        let digits = isNegative ? text.dropFirst() : text
        guard let value = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits) else { return nil }
        return isNegative ? 0 &- value : value
    }
}

/// A register, found by its name.
struct Register {
    /// The number of a general register; nil for a vector register.
    var number: Int?
    var bytes: Int

    private static let general = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
    private static let low = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"]
    private static let high = ["ah", "ch", "dh", "bh"]

    init?(_ text: Substring) {
        guard text.first == "%" else { return nil }
        let name = String(text.dropFirst())
        if name.hasPrefix("xmm") || name.hasPrefix("ymm") || name.hasPrefix("zmm") {
            bytes = name.hasPrefix("x") ? 16 : name.hasPrefix("y") ? 32 : 64
        } else if let number = Self.general.firstIndex(of: name) {
            (self.number, bytes) = (number, 2)
        } else if let number = Self.low.firstIndex(of: name) ?? Self.high.firstIndex(of: name) {
            (self.number, bytes) = (number, 1)
        } else if let number = Self.general.firstIndex(of: String(name.dropFirst())), name.hasPrefix("r") || name.hasPrefix("e") {
            (self.number, bytes) = (number, name.hasPrefix("r") ? 8 : 4)
        } else if name.hasPrefix("r"), let number = Int(name.dropFirst().prefix { $0.isNumber }), 8...15 ~= number {
            let width: [Character: Int] = ["d": 4, "w": 2, "b": 1]
            (self.number, bytes) = (number, name.last.flatMap { width[$0] } ?? 8)
        } else {
            return nil
        }
    }
}
