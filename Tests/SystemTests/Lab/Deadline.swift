import Foundation

/// What went wrong in the lab itself or in what it runs, as a sentence.
struct LabError: Error, CustomStringConvertible {
    let description: String
    /// Whether it is useless to ask again, because what was asked has ended.
    let isFinal: Bool
    init(_ description: String, isFinal: Bool = false) { (self.description, self.isFinal) = (description, isFinal) }
}

/// The time after which waiting counts as a failure. Deadlines are long: they limit how long a test can hang, and do not measure speed.
struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant

    static func after(_ seconds: Double) -> Deadline { Deadline(instant: .now + .seconds(seconds)) }

    var remaining: Double { max(0, Double((instant - .now) / .seconds(1))) }
    var date: Date { Date(timeIntervalSinceNow: remaining) }
    var passed: Bool { remaining == 0 }
    /// The time left in milliseconds for poll(2), rounded up.
    var milliseconds: Int32 { Int32((remaining * 1000).rounded(.up)) }
}

/// Asks again and again until there is an answer. This is for states that no event announces; each question is itself a round trip to a process.
func eventually<T>(_ what: String, within seconds: Double = 30, _ question: () throws -> T?) throws -> T {
    let deadline = Deadline.after(seconds)
    var lastError: Error?
    while !deadline.passed {
        do {
            if let answer = try question() { return answer }
            lastError = nil
        } catch let error as LabError where error.isFinal {
            throw error
        } catch { lastError = error }
        _ = poll(nil, 0, 20)
    }
    throw LabError("not within \(Int(seconds)) s: \(what)" + (lastError.map { " (\($0))" } ?? ""))
}

func eventually(_ what: String, within seconds: Double = 30, _ question: () throws -> Bool) throws {
    let _: Bool = try eventually(what, within: seconds) { try question() ? true : nil }
}
