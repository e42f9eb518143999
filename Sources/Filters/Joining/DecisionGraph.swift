/// Several rules, of which the first that matches decides, as one graph of questions. No path through the graph asks a question whose answer follows from
/// earlier answers, so that a rule does not repeat what the rules before it have asked.
struct DecisionGraph {
    enum Node: Hashable {
        /// The end of a path: the number of the rule that matches, or the number of rules if none does.
        case rule(Int)
        case asks(QuestionID, yes: Int, no: Int)
    }

    /// All nodes. Each stands after the nodes that it leads to.
    private(set) var nodes: [Node] = []
    private(set) var root = 0

    /// - Parameters:
    ///   - questions: all questions that the rules ask.
    ///   - first: a question that is asked before the first rule begins; nil if there is none.
    ///   - most: the number of nodes above which the attempt is given up.
    /// - Throws: `NotJoinable` if the graph would have more than `most` nodes.
    init(_ rules: [RuleGraph], _ questions: Questions, _ values: FrameValues, first: QuestionID?, most: Int) throws {
        var builder = Builder(rules, questions, values, most)
        try builder.run(first)
        // Beginning at the ends, this leaves out questions whose two answers lead to the same node, and makes equal nodes one.
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

    /// Builds the graph from the beginning of the first rule on. Each of its nodes is a state: a node of a rule, together with those known answers that later
    /// questions may depend on.
    private struct Builder {
        struct State: Hashable {
            var rule: Int, node: Int
            var known: AnswerSet
        }

        struct Draft {
            var rule: Int
            /// The order of a state is less than the order of the states that it leads to.
            var order: Int
            var asks: (QuestionID, yes: Int, no: Int)?
        }

        private let rules: [RuleGraph]
        private let implied: [[Answer]]
        /// For each node of each rule, both answers to all questions that may be asked at the node or after it. Other answers are forgotten there, so that more
        /// states become equal.
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

        /// Follows the rules from a node on, as far as known answers decide the way, and returns the number of the state at which a question has to be asked
        /// or the rules end. A new state gets a new number.
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
            // Within a rule a node has a higher number than the nodes that it leads to.
            drafts.append(Draft(rule: rule, order: isEnd ? .max : (rule << 32) - node))
            if !isEnd { pending.append((state, number)) }
            return number
        }
    }
}

extension DecisionGraph {
    /// Whether each question loads only bytes that the questions before it, on every path to it, have found to be within the frame. This guarantees that the
    /// native code never reads beyond a frame. It is checked on the finished graph alone, so that a mistake in the steps that shorten the graph cannot hide.
    func staysInFrame(_ questions: Questions, _ values: FrameValues) -> Bool {
        /// What is known at each node, whichever path led to it: for each value that is used as an offset, how many bytes the frame has at least from there on.
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
    /// The bytes that a value is loaded from: they end `end` bytes behind the offset in the frame that the value `index` gives.
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
