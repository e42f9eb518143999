import ControlAPI

/// Notices when samples for sFlow begin to be lost, and when that ends.
package struct SampleLossWatch {
    /// Seconds without a loss that end it.
    private static let pause = 10.0

    private var lost: UInt64 = 0
    /// What had been lost before the present loss, and when it last went on; nil: nothing is lost at present.
    private var loss: (before: UInt64, last: Double)?

    package init() {}

    /// - Parameters:
    ///   - noRoom: samples that poll loops took and that were not fetched in time, since the daemon started.
    ///   - notSent: samples that were not sent or did not arrive.
    ///   - problem: why not, as a sentence.
    ///   - now: the time in seconds, from any start.
    package mutating func look(noRoom: UInt64, notSent: UInt64, _ problem: String?, now: Double) -> Event? {
        let total = noRoom &+ notSent, before = lost
        lost = total
        if total != before {
            defer { loss = (loss?.before ?? before, now) }
            if loss != nil { return nil }
            let why = problem ?? "more are taken than can be sent: raise sampling under sflow"
            return event("warning", "samples for sFlow are lost: \(why)", total &- before)
        }
        guard let ended = loss, now - ended.last >= Self.pause else { return nil }
        loss = nil
        return event("notice", "no more samples for sFlow are lost: \(total &- ended.before) were", total &- ended.before)
    }

    private func event(_ level: String, _ sentence: String, _ count: UInt64) -> Event {
        var event = Event(.sflow, level: level, sentence)
        event.count = count
        return event
    }
}
