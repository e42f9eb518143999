/// Assembles the x86-64 instructions that joined programs use, encoded as in Intel's manual (Software Developer's Manual, volume 2). Operations are of 32 bits,
/// which clears the upper half of the target register. Functions with `Whole` in their names work on all 64 bits.
struct X86Code {
    enum Register: UInt8 { case rax = 0, rcx = 1, rdx = 2, rsi = 6, rdi = 7, r8 = 8, r9 = 9, r10 = 10, r11 = 11 }

    /// The condition codes of Jcc. Comparisons are unsigned, except for the two that are named signed.
    enum Condition: UInt8 { case equal = 4, notEqual = 5, less = 2, atLeast = 3, signedLess = 0xc, signedAtLeast = 0xd }

    private(set) var bytes: [UInt8] = []
    /// The offset in `bytes` of each place that code jumps to, by the number of the place.
    private var places: [Int: Int] = [:]
    /// The jumps so far: the offset of each one's four-byte distance in `bytes`, and the place that it leads to.
    private var jumps: [(at: Int, to: Int)] = []

    // MARK: Jumps

    /// Makes the current end of the code the place of this number, to which code may jump.
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

    /// Fills in the distances of all jumps. All places that they lead to must have begun.
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

    /// Loads 1, 2 or 4 bytes from the address `base` + `index` + `offset`.
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

    /// Converts a value of 2 or 4 bytes from network byte order.
    mutating func swap(_ count: Int, _ target: Register) {
        if count == 4 {
            prefix(nil, target)
            bytes += [0x0f, 0xc8 | target.rawValue & 7]
        } else {
            // ROR by 8 swaps the two bytes; MOVZX then clears the upper ones.
            bytes.append(0x66)
            direct([0xc1], 1, target)
            bytes.append(8)
            direct([0x0f, 0xb7], target, target)
        }
    }

    /// Computes `target` = `target` `operation` `source`. The operation is one of `ALU`, but no shift.
    mutating func compute(_ operation: UInt8, _ target: Register, _ source: Register) {
        if operation == ALU.mul { direct([0x0f, 0xaf], target, source) } else { direct([Self.group[operation]! << 3 | 1], source, target) }
    }

    /// Computes `target` = `target` `operation` `constant`. The operation is one of `ALU`; shifts are by less than 32.
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

    /// The numbers of the arithmetic operations within their opcodes.
    private static let group: [UInt8: UInt8] = [ALU.add: 0, ALU.or: 1, ALU.and: 4, ALU.sub: 5, ALU.xor: 6]

    mutating func negate(_ target: Register) { direct([0xf7], 3, target) }

    mutating func compare(_ left: Register, _ right: UInt32) { immediate(7, left, right) }
    /// Compares all 64 bits of a register with a constant.
    ///
    /// - Parameter right: a number below 2^31, because the instruction extends its sign.
    mutating func compareWhole(_ left: Register, _ right: UInt32) { immediate(7, left, right, isWhole: true) }

    /// Tests whether any of these bits is set: the condition `notEqual` then holds.
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

    /// - Parameter operation: the part of the opcode that stands in the ModR/M byte in place of a register.
    private mutating func direct(_ opcode: [UInt8], _ operation: UInt8, _ other: Register, isWhole: Bool = false) {
        prefix(nil, other, isWhole: isWhole)
        bytes += opcode + [0xc0 | operation << 3 | other.rawValue & 7]
    }

    /// Appends a REX prefix if the registers or the operand size need one.
    private mutating func prefix(_ register: Register?, _ other: Register, index: Register? = nil, isWhole: Bool = false) {
        func high(_ register: Register?, _ bit: UInt8) -> UInt8 { (register?.rawValue ?? 0) >= 8 ? bit : 0 }
        let rex = (isWhole ? 8 : 0) | high(register, 4) | high(index, 2) | high(other, 1)
        if rex != 0 { bytes.append(0x40 | rex) }
    }

    private mutating func append(_ value: UInt32) { for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))) } }
}
