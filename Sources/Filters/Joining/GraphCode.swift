/// Translates a decision graph into native x86-64 code. The code computes only the values that the graph's questions are about.
struct GraphCode {
    private var code = X86Code()
    private let graph: DecisionGraph
    private let questions: Questions
    private let values: FrameValues
    /// The values that are used more than once and therefore have a register of their own.
    private var homes: [Operand: Register] = [:]

    typealias Register = X86Code.Register

    // The System V ABI passes a function's first two arguments in RDI and RSI and its result in RAX. A function may change the other registers below
    // without saving them.
    private static let data = Register.rdi, length = Register.rsi
    private static let scratch: [Register] = [.rax, .r8]
    private static let homes: [Register] = [.rdx, .rcx, .r9, .r10, .r11]

    var bytes: [UInt8] { code.bytes }

    /// - Parameter graph: its questions and values are numbers in `questions` and `values`.
    /// - Throws: `NotJoinable` if a value needs too many registers, or a constant does not fit into its instruction.
    init(_ graph: DecisionGraph, _ questions: Questions, _ values: FrameValues) throws {
        self.graph = graph
        self.questions = questions
        self.values = values
        let order = order()
        homes = homes(of: order)
        /// For each node the registers that already hold their values there, whichever path led to it.
        var ready = [Set<Register>?](repeating: nil, count: graph.nodes.count)
        for (position, number) in order.enumerated() {
            code.begin(number)
            let next = position + 1 < order.count ? order[position + 1] : nil
            switch graph.nodes[number] {
            case .rule(let rule):
                code.move(.rax, constant: UInt32(rule))
                code.end()
            case .asks(let question, let yes, let no):
                var known = ready[number] ?? []
                try ask(questions[question], yes, no, next, &known)
                for target in [yes, no] { ready[target] = ready[target].map { $0.intersection(known) } ?? known }
            }
        }
        code.link()
    }

    // MARK: Order

    /// The order of the nodes in the code. Each question stands before the nodes that it leads to, if possible directly before the likelier one. The ends
    /// follow in the order of the rules, and the end for frames that match no rule is last.
    private func order() -> [Int] {
        var order: [Int] = [], rules: [Int] = []
        var isKnown = [Bool](repeating: false, count: graph.nodes.count)
        var stack: [(number: Int, isDone: Bool)] = [(graph.root, false)]
        while let (number, isDone) = stack.popLast() {
            if isDone {
                order.append(number)
                continue
            }
            if isKnown[number] { continue }
            isKnown[number] = true
            guard case .asks(let question, let yes, let no) = graph.nodes[number] else {
                rules.append(number)
                continue
            }
            stack.append((number, true))
            let isLikely = isLikely(questions[question])
            // The node on top of the stack is finished first. The order is reversed at the end, so the likelier node, which is finished last, comes next.
            stack.append((isLikely ? yes : no, false))
            stack.append((isLikely ? no : yes, false))
        }
        func rule(_ number: Int) -> Int { if case .rule(let rule) = graph.nodes[number] { rule } else { 0 } }
        return order.reversed() + rules.sorted { rule($0) < rule($1) }
    }

    /// Whether the answer to a question is likely yes. Most frames are assumed to be long enough, to be IPv4 and not a later fragment, and not to have the
    /// addresses, ports and protocols that rules look for.
    private func isLikely(_ question: Question) -> Bool {
        if question.relation == .atLeast {
            switch values[question.value] {
            case .length, .rest: return true
            default: return false
            }
        }
        if case .load(2, FrameValues.zero, 12) = values[question.value] { return question.constant == 0x0800 }
        return question.constant == 0 && values.masked(question.value).mask != .max
    }

    // MARK: Registers

    /// A value in the form in which a register holds it.
    private struct Operand: Hashable {
        var value: ValueID
        /// Whether the value is a load whose bytes stay in the frame's order, as this little-endian processor reads them.
        var isSwapped = false
    }

    private func homes(of order: [Int]) -> [Operand: Register] {
        var homes: [Operand: Register] = [:]
        for register in Self.homes {
            // The value is still computed once, which counts as its most frequent use: only the other uses are saved.
            let gains = uses(of: order, but: homes).map { ($0.key, gain: Double(cost($0.key)) * ($0.value.all - $0.value.most)) }.filter { homes[$0.0] == nil }
            guard let best = gains.max(by: { ($0.gain, -$0.0.value) < ($1.gain, -$1.0.value) }), best.gain > 0 else { break }
            homes[best.0] = register
        }
        return homes
    }

    /// How often the code is expected to need each value for one frame: at all places together (`all`), and at the place that needs it most often (`most`). The
    /// operands of a value that has a register count as not needed.
    private func uses(of order: [Int], but homes: [Operand: Register]) -> [Operand: (all: Double, most: Double)] {
        var share = [Double](repeating: 0, count: graph.nodes.count)
        share[graph.root] = 1
        var uses: [Operand: (all: Double, most: Double)] = [:]
        func use(_ operand: Operand, _ share: Double) {
            switch values[operand.value] {
            case .constant, .length: return
            case _ where homes[operand] != nil: return
            case .rest(let index), .load(_, let index, _), .negated(let index): use(Operand(value: index), share)
            case .operation(_, let left, let right), .excess(let left, over: let right):
                use(Operand(value: left), share)
                use(Operand(value: right), share)
            }
            let before = uses[operand] ?? (0, 0)
            uses[operand] = (before.all + share, max(before.most, share))
        }
        for number in order {
            guard case .asks(let id, let yes, let no) = graph.nodes[number] else { continue }
            let question = questions[id]
            use(shape(question).operand, share[number])
            // A single byte, such as the IP protocol, often has one of few values, so both answers are about as likely.
            var unlikely = 0.125
            if case .load(1, _, _) = values[question.value] { unlikely = 0.5 }
            let likely = isLikely(question)
            share[likely ? yes : no] += share[number] * (1 - unlikely)
            share[likely ? no : yes] += share[number] * unlikely
        }
        return uses
    }

    /// The estimated number of instructions that compute a value.
    private func cost(_ operand: Operand) -> Int {
        switch values[operand.value] {
        case .constant: 1
        case .length: 0
        case .rest(let index): 2 + cost(Operand(value: index))
        case .load(let bytes, let index, _):
            1 + (operand.isSwapped ? 0 : bytes / 2) + (index == FrameValues.zero ? 0 : 2 + cost(Operand(value: index)))
        case .excess(let left, over: let right): 2 + cost(Operand(value: left)) + cost(Operand(value: right))
        case .operation(_, let left, let right): 1 + cost(Operand(value: left)) + (values.constant(right) == nil ? cost(Operand(value: right)) : 0)
        case .negated(let value): 1 + cost(Operand(value: value))
        }
    }

    // MARK: Questions

    /// The form in which the code asks a question: it compares `operand`, ANDed with `mask` if there is one, with `constant`. Where a question is about
    /// equality of loaded bytes, the constant and the mask are swapped here, once, so that the code need not swap the bytes of each frame.
    private func shape(_ question: Question) -> (operand: Operand, mask: UInt32?, constant: UInt32) {
        let (base, mask) = values.masked(question.value)
        guard question.relation == .equal, case .load(let bytes, _, _) = values[base], bytes > 1 else {
            let isWhole = mask == .max || question.relation != .equal
            return isWhole ? (Operand(value: question.value), nil, question.constant) : (Operand(value: base), mask, question.constant)
        }
        func swapped(_ value: UInt32) -> UInt32 { bytes == 2 ? UInt32(UInt16(truncatingIfNeeded: value).byteSwapped) : value.byteSwapped }
        return (Operand(value: base, isSwapped: true), base == question.value ? nil : swapped(mask), swapped(question.constant))
    }

    private mutating func ask(_ question: Question, _ yes: Int, _ no: Int, _ next: Int?, _ known: inout Set<Register>) throws {
        let (operand, mask, constant) = shape(question)
        var register = try place(operand, Self.scratch[...], &known)
        let jumps: (yes: X86Code.Condition, no: X86Code.Condition)
        if question.relation == .equal {
            jumps = (.equal, .notEqual)
            if let mask, constant == 0 {
                code.test(register, mask)
            } else {
                if let mask {
                    code.move(Self.scratch[0], register)
                    register = Self.scratch[0]
                    code.compute(ALU.and, register, constant: mask)
                }
                code.compare(register, constant)
            }
        } else if isDifference(question.value) {
            guard constant <= Int32.max else { throw NotJoinable() }
            code.compareWhole(register, constant)
            jumps = (.signedAtLeast, .signedLess)
        } else {
            code.compare(register, constant)
            jumps = (.atLeast, .less)
        }
        if yes == next {
            code.jump(jumps.no, to: no)
        } else {
            code.jump(jumps.yes, to: yes)
            if no != next { code.jump(to: no) }
        }
    }

    /// Whether the register holds the value as a signed difference of 64 bits, which is negative where the value is defined to be 0.
    private func isDifference(_ value: ValueID) -> Bool {
        switch values[value] {
        case .rest, .excess: true
        default: false
        }
    }

    // MARK: Values

    /// Makes sure that a register holds an operand and returns it: the operand's own register, or the first of the scratch registers.
    ///
    /// - Throws: `NotJoinable` if there is no scratch register left.
    private mutating func place(_ operand: Operand, _ scratch: ArraySlice<Register>, _ known: inout Set<Register>) throws -> Register {
        if operand.value == FrameValues.length { return Self.length }
        if let home = homes[operand] {
            if !known.contains(home) {
                try compute(operand, into: home, scratch, &known)
                known.insert(home)
            }
            return home
        }
        guard let register = scratch.first else { throw NotJoinable() }
        try compute(operand, into: register, scratch.dropFirst(), &known)
        return register
    }

    /// Computes an operand into `target`.
    ///
    /// - Parameter scratch: registers that may be overwritten; `target` is not among them.
    private mutating func compute(_ operand: Operand, into target: Register, _ scratch: ArraySlice<Register>, _ known: inout Set<Register>) throws {
        switch values[operand.value] {
        case .constant(let value): code.move(target, constant: value)
        case .length: code.move(target, Self.length)
        case .rest(let index):
            let index = try place(Operand(value: index), scratch, &known)
            code.moveWhole(target, Self.length)
            code.subtractWhole(target, index)
        case .excess(let left, over: let right):
            code.moveWhole(target, try place(Operand(value: left), [target] + scratch, &known))
            code.subtractWhole(target, try place(Operand(value: right), scratch, &known))
        case .load(let bytes, let index, let offset):
            guard let offset = Int32(exactly: offset) else { throw NotJoinable() }
            let index = index == FrameValues.zero ? nil : try place(Operand(value: index), scratch, &known)
            code.load(bytes, target, Self.data, index, offset)
            if bytes > 1, !operand.isSwapped { code.swap(bytes, target) }
        case .operation(let operation, let left, let right):
            try copy(left, into: target, scratch, &known)
            if let constant = values.constant(right) {
                code.compute(operation, target, constant: constant)
            } else {
                code.compute(operation, target, try place(Operand(value: right), scratch, &known))
            }
        case .negated(let value):
            try copy(value, into: target, scratch, &known)
            code.negate(target)
        }
    }

    private mutating func copy(_ value: ValueID, into target: Register, _ scratch: ArraySlice<Register>, _ known: inout Set<Register>) throws {
        code.move(target, try place(Operand(value: value), [target] + scratch, &known))
    }
}
