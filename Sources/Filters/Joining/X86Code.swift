/// Instructions of x86-64 for programs, as Intel's manual (volume 2) encodes them. They are of 32 bits, which leaves 0 in the upper half of a register,
/// where they are not said to be of a whole one.
struct X86Code {
    enum Register: UInt8 { case rax = 0, rcx = 1, rdx = 2, rsi = 6, rdi = 7, r8 = 8, r9 = 9, r10 = 10, r11 = 11 }

    /// As of Jcc: unsigned, but for two.
    enum Condition: UInt8 { case equal = 4, notEqual = 5, less = 2, atLeast = 3, signedLess = 0xc, signedAtLeast = 0xd }

    private(set) var bytes: [UInt8] = []
    /// By the number of a place that is jumped to.
    private var places: [Int: Int] = [:]
    /// Where the four bytes of a distance stand, and to which place it is.
    private var jumps: [(at: Int, to: Int)] = []

    // MARK: Jumps

    /// Here is a place that is jumped to.
    mutating func begin(_ place: Int) { places[place] = bytes.count }

    mutating func jump(_ condition: Condition, to place: Int) {
        bytes += [0x0f, 0x80 | condition.rawValue]
        distance(to: place)
    }

    mutating func jump(to place: Int) {
        bytes.append(0xe9)
        distance(to: place)
    }

    mutating func end() { bytes.append(0xc3) }

    private mutating func distance(to place: Int) {
        jumps.append((bytes.count, place))
        append(0)
    }

    /// When all is there that is jumped to.
    mutating func link() {
        for jump in jumps {
            let distance = UInt32(bitPattern: Int32(places[jump.to]! - jump.at - 4))
            for byte in 0..<4 { bytes[jump.at + byte] = UInt8(truncatingIfNeeded: distance >> UInt32(8 * byte)) }
        }
    }

    // MARK: Values

    mutating func move(_ target: Register, constant: UInt32) {
        prefix(nil, target)
        bytes.append(0xb8 | target.rawValue & 7)
        append(constant)
    }

    mutating func move(_ target: Register, _ source: Register) { if target != source { direct([0x89], source, target) } }
    mutating func moveWhole(_ target: Register, _ source: Register) { direct([0x89], source, target, isWhole: true) }
    mutating func subtractWhole(_ target: Register, _ source: Register) { direct([0x29], source, target, isWhole: true) }

    /// 1, 2 or 4 bytes at `base`, and `index` and `offset` behind it.
    mutating func load(_ count: Int, _ target: Register, _ base: Register, _ index: Register?, _ offset: Int32) {
        prefix(target, base, index: index)
        bytes += count == 4 ? [0x8b] : count == 2 ? [0x0f, 0xb7] : [0x0f, 0xb6]
        let isShort = -128...127 ~= offset
        let mode: UInt8 = isShort ? 0x40 : 0x80, register = (target.rawValue & 7) << 3
        if let index {
            bytes += [mode | register | 4, (index.rawValue & 7) << 3 | base.rawValue & 7]
        } else {
            bytes.append(mode | register | base.rawValue & 7)
        }
        if isShort { bytes.append(UInt8(bitPattern: Int8(offset))) } else { append(UInt32(bitPattern: offset)) }
    }

    /// From network order.
    mutating func swap(_ count: Int, _ target: Register) {
        if count == 4 {
            prefix(nil, target)
            bytes += [0x0f, 0xc8 | target.rawValue & 7]
        } else {
            // ROR of 16 bits by 8.
            bytes.append(0x66)
            direct([0xc1], 1, target)
            bytes.append(8)
            direct([0x0f, 0xb7], target, target)
        }
    }

    /// One of `ALU`.
    mutating func compute(_ operation: UInt8, _ target: Register, _ source: Register) {
        if operation == ALU.mul { direct([0x0f, 0xaf], target, source) } else { direct([Self.group[operation]! << 3 | 1], source, target) }
    }

    /// One of `ALU`; of shifts by less than 32.
    mutating func compute(_ operation: UInt8, _ target: Register, constant: UInt32) {
        switch operation {
        case ALU.lsh, ALU.rsh:
            direct([0xc1], operation == ALU.lsh ? 4 : 5, target)
            bytes.append(UInt8(constant))
        case ALU.mul:
            direct([0x69], target, target)
            append(constant)
        default: immediate(Self.group[operation]!, target, constant)
        }
    }

    /// As the opcodes of arithmetic count them.
    private static let group: [UInt8: UInt8] = [ALU.add: 0, ALU.or: 1, ALU.and: 4, ALU.sub: 5, ALU.xor: 6]

    mutating func negate(_ target: Register) { direct([0xf7], 3, target) }

    mutating func compare(_ left: Register, _ right: UInt32) { immediate(7, left, right) }
    /// - Parameter right: below 2^31.
    mutating func compareWhole(_ left: Register, _ right: UInt32) { immediate(7, left, right, isWhole: true) }

    /// Whether any of these bits is set.
    mutating func test(_ left: Register, _ bits: UInt32) {
        direct([0xf7], 0, left)
        append(bits)
    }

    // MARK: Encoding

    private mutating func immediate(_ operation: UInt8, _ target: Register, _ constant: UInt32, isWhole: Bool = false) {
        let isShort = -128...127 ~= Int32(bitPattern: constant)
        direct([isShort ? 0x83 : 0x81], operation, target, isWhole: isWhole)
        if isShort { bytes.append(UInt8(truncatingIfNeeded: constant)) } else { append(constant) }
    }

    private mutating func direct(_ opcode: [UInt8], _ register: Register, _ other: Register, isWhole: Bool = false) {
        prefix(register, other, isWhole: isWhole)
        bytes += opcode + [0xc0 | (register.rawValue & 7) << 3 | other.rawValue & 7]
    }

    /// - Parameter operation: what of an opcode stands where a register would.
    private mutating func direct(_ opcode: [UInt8], _ operation: UInt8, _ other: Register, isWhole: Bool = false) {
        prefix(nil, other, isWhole: isWhole)
        bytes += opcode + [0xc0 | operation << 3 | other.rawValue & 7]
    }

    /// REX, where it is needed.
    private mutating func prefix(_ register: Register?, _ other: Register, index: Register? = nil, isWhole: Bool = false) {
        func high(_ register: Register?, _ bit: UInt8) -> UInt8 { (register?.rawValue ?? 0) >= 8 ? bit : 0 }
        let rex = (isWhole ? 8 : 0) | high(register, 4) | high(index, 2) | high(other, 1)
        if rex != 0 { bytes.append(0x40 | rex) }
    }

    private mutating func append(_ value: UInt32) { for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))) } }
}
