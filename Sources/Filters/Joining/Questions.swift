/// A question about a frame that is answered by yes or no: whether a value is equal to a constant, or whether it is at least that constant.
struct Question: Hashable {
    enum Relation { case equal, atLeast }
    var value: ValueID
    var relation: Relation
    var constant: UInt32
}

typealias QuestionID = Int

/// All questions that a set of rules asks about a frame, each under a number, and what the answer to one question says about others.
struct Questions {
    private(set) var all: [Question] = []
    private var known: [Question: QuestionID] = [:]

    subscript(_ id: QuestionID) -> Question { all[id] }

    mutating func id(_ question: Question) -> QuestionID {
        if let id = known[question] { return id }
        known[question] = all.count
        all.append(question)
        return all.count - 1
    }

    /// For each answer, at the index `Answer.rawValue`, all answers that follow from it, itself included.
    func implications(_ values: FrameValues) -> [[Answer]] {
        // Only questions about bits of the same value, or about the frame's length and what remains of it, say anything about each other.
        var groups: [ValueID: [QuestionID]] = [:]
        for (id, question) in all.enumerated() {
            if case .rest = values[question.value] { groups[FrameValues.length, default: []].append(id) } else {
                groups[values.masked(question.value).base, default: []].append(id)
            }
        }
        var result = [[Answer]](repeating: [], count: 2 * all.count)
        for group in groups.values {
            for id in group {
                for isYes in [false, true] {
                    result[Answer(id, isYes).rawValue] = group.compactMap { other in
                        answer(to: all[other], if: all[id], isYes, values).map { Answer(other, $0) }
                    }
                }
            }
        }
        return result
    }

    /// The answer to `other` that follows from an answer to `question`; nil if none follows.
    private func answer(to other: Question, if question: Question, _ isYes: Bool, _ values: FrameValues) -> Bool? {
        if other == question { return isYes }
        if other.value == question.value {
            switch (question.relation, other.relation) {
            case (.equal, .equal): return isYes ? false : nil
            case (.equal, .atLeast): return isYes ? question.constant >= other.constant : nil
            case (.atLeast, .equal): return (other.constant >= question.constant) == isYes ? nil : false
            case (.atLeast, .atLeast): return (isYes ? other.constant <= question.constant : other.constant >= question.constant) ? isYes : nil
            }
        }
        if values.masked(question.value).base == values.masked(other.value).base {
            return question.relation == .equal && other.relation == .equal ? masked(other, if: question, isYes, values) : nil
        }
        return lengths(other, if: question, isYes, values)
    }

    /// The same where both questions ask whether bits of the same value are equal to constants.
    private func masked(_ other: Question, if question: Question, _ isYes: Bool, _ values: FrameValues) -> Bool? {
        let known = values.masked(question.value).mask, asked = values.masked(other.value).mask
        let agree = (question.constant ^ other.constant) & known & asked == 0
        if isYes { return agree ? (asked & ~known == 0 ? true : nil) : false }
        // If `other` compares all bits that `question` compares and expects the same of them, then a no to `question` means a no to `other`.
        return agree && known & ~asked == 0 ? false : nil
    }

    /// The same where one question asks for the frame's length and the other for the number of bytes from some offset on.
    private func lengths(_ other: Question, if question: Question, _ isYes: Bool, _ values: FrameValues) -> Bool? {
        guard question.relation == .atLeast, other.relation == .atLeast else { return nil }
        if question.value == FrameValues.length, case .rest(let index) = values[other.value] {
            let enough = UInt64(values.most[index]) + UInt64(other.constant)
            return isYes ? (enough <= UInt64(question.constant) ? true : nil) : (other.constant >= question.constant ? false : nil)
        }
        if other.value == FrameValues.length, case .rest(let index) = values[question.value] {
            let enough = UInt64(values.most[index]) + UInt64(question.constant)
            return isYes ? (other.constant <= question.constant ? true : nil) : (UInt64(other.constant) >= enough ? false : nil)
        }
        return nil
    }
}

/// A question together with the answer to it.
struct Answer: Hashable {
    var rawValue: Int
    init(_ question: QuestionID, _ isYes: Bool) { rawValue = 2 * question + (isYes ? 1 : 0) }
    var opposite: Answer { Answer(rawValue >> 1, rawValue & 1 == 0) }
}

/// A set of answers, as a bitmap with two bits for each question.
struct AnswerSet: Hashable {
    private var words: [UInt64]
    init(questions: Int) { words = Array(repeating: 0, count: (2 * questions + 63) / 64) }
    func contains(_ answer: Answer) -> Bool { words[answer.rawValue >> 6] >> UInt64(answer.rawValue & 63) & 1 != 0 }
    mutating func insert(_ answer: Answer) { words[answer.rawValue >> 6] |= 1 << UInt64(answer.rawValue & 63) }
    mutating func formUnion(_ other: AnswerSet) { for place in words.indices { words[place] |= other.words[place] } }
    mutating func formIntersection(_ other: AnswerSet) { for place in words.indices { words[place] &= other.words[place] } }
}
