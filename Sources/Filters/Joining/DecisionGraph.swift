/// Several rules as one graph of questions, none of which is asked on a way that has the answer already: what a rule asked, none behind it asks again.
struct DecisionGraph {
    enum Node: Hashable {
        /// By number; as many as there are rules: none matches.
        case rule(Int)
        case asks(QuestionID, yes: Int, no: Int)
    }

    /// Each behind those that it leads to.
    private(set) var nodes: [Node] = []
    private(set) var root = 0

    /// - Parameters:
    ///   - questions: all that the rules ask.
    ///   - first: what is asked ahead of the first rule; nil: nothing.
    ///   - most: nodes until it is given up.
    /// - Throws: NotJoinable.
    init(_ rules: [RuleGraph], _ questions: Questions, _ values: FrameValues, first: QuestionID?, most: Int) throws {
        var builder = Builder(rules, questions, values, most)
        try builder.run(first)
        // What differs by nothing is asked for nothing.
        var known: [Node: Int] = [:], place = [Int](repeating: 0, count: builder.drafts.count)
        for (number, draft) in builder.drafts.enumerated().sorted(by: { $0.element.order > $1.element.order }) {
            var node = Node.rule(draft.rule)
            if let (question, yes, no) = draft.asks {
                if place[yes] == place[no] {
                    place[number] = place[yes]
                    continue
                }
                node = .asks(question, yes: place[yes], no: place[no])
            }
            if let same = known[node] {
                place[number] = same
            } else {
                place[number] = nodes.count
                known[node] = nodes.count
                nodes.append(node)
            }
        }
        root = place[0]
    }

    /// From the rules' beginning to their end: a state is a place in a rule, and what is known there that may be asked again.
    private struct Builder {
        struct State: Hashable {
            var rule: Int, node: Int
            var known: AnswerSet
        }

        struct Draft {
            var rule: Int
            /// Grows from each state to those that it leads to.
            var order: Int
            var asks: (QuestionID, yes: Int, no: Int)?
        }

        private let rules: [RuleGraph]
        private let implied: [[Answer]]
        /// By rule and node: answers to what may be asked from there on.
        private var relevant: [[AnswerSet]] = []
        private let none: AnswerSet
        private let most: Int
        private(set) var drafts: [Draft] = []
        private var numbers: [State: Int] = [:]
        private var pending: [(State, number: Int)] = []

        init(_ rules: [RuleGraph], _ questions: Questions, _ values: FrameValues, _ most: Int) {
            self.rules = rules
            self.most = most
            implied = questions.implications(values)
            none = AnswerSet(questions: questions.all.count)
            var behind = none
            relevant = Array(repeating: [], count: rules.count)
            for rule in rules.indices.reversed() {
                for node in rules[rule].nodes {
                    switch node {
                    case .matches: relevant[rule].append(none)
                    case .fails: relevant[rule].append(behind)
                    case .asks(let question, let yes, let no):
                        var set = relevant[rule][yes]
                        set.formUnion(relevant[rule][no])
                        set.insert(Answer(question, false))
                        set.insert(Answer(question, true))
                        relevant[rule].append(set)
                    }
                }
                behind = relevant[rule][rules[rule].root]
            }
        }

        mutating func run(_ first: QuestionID?) throws {
            let root = rules[0].root
            if let first {
                drafts.append(Draft(rule: 0, order: .min))
                let yes = try number(0, root, knowing(Answer(first, true), none)), no = try number(0, root, knowing(Answer(first, false), none))
                drafts[0].asks = (first, yes: yes, no: no)
            } else {
                _ = try number(0, root, none)
            }
            while let (state, number) = pending.popLast() {
                guard case .asks(let question, let yes, let no) = rules[state.rule].nodes[state.node] else { continue }
                let ifYes = try self.number(state.rule, yes, knowing(Answer(question, true), state.known))
                let ifNo = try self.number(state.rule, no, knowing(Answer(question, false), state.known))
                drafts[number].asks = (question, yes: ifYes, no: ifNo)
            }
        }

        private func knowing(_ answer: Answer, _ known: AnswerSet) -> AnswerSet {
            var known = known
            for other in implied[answer.rawValue] { known.insert(other) }
            return known
        }

        /// Of the first place from there on where something has to be asked.
        private mutating func number(_ rule: Int, _ node: Int, _ known: AnswerSet) throws -> Int {
            var rule = rule, node = node
            find: while rule < rules.count {
                switch rules[rule].nodes[node] {
                case .matches: break find
                case .fails:
                    rule += 1
                    node = rule < rules.count ? rules[rule].root : 0
                case .asks(let question, let yes, let no):
                    if known.contains(Answer(question, true)) { node = yes } else if known.contains(Answer(question, false)) { node = no } else { break find }
                }
            }
            let isEnd = rule == rules.count || rules[rule].nodes[node] == .matches
            var state = State(rule: rule, node: node, known: isEnd ? none : known)
            if !isEnd { state.known.formIntersection(relevant[rule][node]) }
            if let number = numbers[state] { return number }
            guard drafts.count < most else { throw NotJoinable() }
            let number = drafts.count
            numbers[state] = number
            // Within a rule a node is behind those that it leads to.
            drafts.append(Draft(rule: rule, order: isEnd ? .max : (rule << 32) - node))
            if !isEnd { pending.append((state, number)) }
            return number
        }
    }
}

extension DecisionGraph {
    /// That each question looks only at what those before it on every way have found to be in the frame. It is what keeps a program within a frame,
    /// whatever was left out to make it short; so it is found out from the finished graph alone.
    func staysInFrame(_ questions: Questions, _ values: FrameValues) -> Bool {
        /// What is known at a node, on every way to it: by the value of a place, how many bytes there are at least behind it.
        var known = [[ValueID: UInt64]?](repeating: nil, count: nodes.count)
        known[root] = [:]
        for (number, node) in nodes.enumerated().reversed() {
            guard let rests = known[number], case .asks(let question, let yes, let no) = node else { continue }
            let asked = questions[question]
            guard values.loads(of: asked.value).allSatisfy({ load in
                rests[load.index, default: 0] >= load.end || rests[FrameValues.zero, default: 0] >= UInt64(values.most[load.index]) + load.end
            }) else { return false }
            var ifYes = rests
            if asked.relation == .atLeast {
                let constant = UInt64(asked.constant)
                switch values[asked.value] {
                case .length: ifYes[FrameValues.zero] = max(rests[FrameValues.zero, default: 0], constant)
                case .rest(let index): ifYes[index] = max(rests[index, default: 0], constant)
                default: break
                }
            }
            for (next, rests) in [(yes, ifYes), (no, rests)] {
                guard let old = known[next] else {
                    known[next] = rests
                    continue
                }
                known[next] = old.merging(rests, uniquingKeysWith: min).filter { rests[$0.key] != nil && old[$0.key] != nil }
            }
        }
        return true
    }
}

extension FrameValues {
    /// Where a value looks: behind a place, up to so many bytes.
    struct Load: Hashable {
        var index: ValueID
        var end: UInt64
    }

    func loads(of value: ValueID) -> [Load] {
        switch self[value] {
        case .constant, .length: []
        case .rest(let index): loads(of: index)
        case .load(let bytes, let index, let offset): loads(of: index) + [Load(index: index, end: UInt64(offset) + UInt64(bytes))]
        case .operation(_, let left, let right), .excess(let left, over: let right): loads(of: left) + loads(of: right)
        case .negated(let value): loads(of: value)
        }
    }
}
