/// A decision graph as native code. No value is in it that its graph has not asked for.
struct GraphCode {
    private var code = X86Code()
    private let graph: DecisionGraph
    private let questions: Questions
    private let values: FrameValues
    /// Registers of values that are used more than once.
    private var homes: [Operand: Register] = [:]

    typealias Register = X86Code.Register

    /// As the System V ABI has a function's two arguments and its result, and what else a function may use without saving it.
    private static let data = Register.rdi, length = Register.rsi
    private static let scratch: [Register] = [.rax, .r8]
    private static let homes: [Register] = [.rdx, .rcx, .r9, .r10, .r11]

    var bytes: [UInt8] { code.bytes }

    /// - Parameter graph: of questions that `questions` and `values` have.
    /// - Throws: NotJoinable: something takes too many registers.
    init(_ graph: DecisionGraph, _ questions: Questions, _ values: FrameValues) throws {
        self.graph = graph
        self.questions = questions
        self.values = values
        let order = order()
        homes = homes(of: order)
        /// By node: registers that have their values on every way to it.
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

    /// Each ahead of those that it leads to, and if possible just ahead of the one that it mostly leads to; at the end the rules, and last that none matches.
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
            // Who is finished last comes next.
            stack.append((isLikely ? yes : no, false))
            stack.append((isLikely ? no : yes, false))
        }
        func rule(_ number: Int) -> Int { if case .rule(let rule) = graph.nodes[number] { rule } else { 0 } }
        return order.reversed() + rules.sorted { rule($0) < rule($1) }
    }

    /// Most frames are long enough, of IPv4 and no later fragments, and are not what a rule looks for.
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

    /// What is loaded or computed.
    private struct Operand: Hashable {
        var value: ValueID
        /// A load in the order in which its bytes are in a frame, as this processor reads them.
        var isSwapped = false
    }

    private func homes(of order: [Int]) -> [Operand: Register] {
        var homes: [Operand: Register] = [:]
        for register in Self.homes {
            // It has to be computed once.
            let gains = uses(of: order, but: homes).map { ($0.key, gain: Double(cost($0.key)) * ($0.value.all - $0.value.most)) }.filter { homes[$0.0] == nil }
            guard let best = gains.max(by: { ($0.gain, -$0.0.value) < ($1.gain, -$1.0.value) }), best.gain > 0 else { break }
            homes[best.0] = register
        }
        return homes
    }

    /// How often a frame is likely to want each value, in all and at one place; what a value with a register is made of is not wanted any more.
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
            // What a byte says, such as a protocol, is often one of few.
            var unlikely = 0.125
            if case .load(1, _, _) = values[question.value] { unlikely = 0.5 }
            let likely = isLikely(question)
            share[likely ? yes : no] += share[number] * (1 - unlikely)
            share[likely ? no : yes] += share[number] * unlikely
        }
        return uses
    }

    /// Instructions to get a value.
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

    /// A question about bytes as they are in the frame, where it can be asked so: nothing has to be swapped for a frame.
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

    /// It is below 0 in its register where there is none.
    private func isDifference(_ value: ValueID) -> Bool {
        switch values[value] {
        case .rest, .excess: true
        default: false
        }
    }

    // MARK: Values

    /// A register that has it: its own, or the first of the scratch registers.
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

    /// - Parameter scratch: others than `target`.
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
