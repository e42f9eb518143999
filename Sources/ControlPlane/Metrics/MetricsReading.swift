import Dispatch

/// Reads the counters on the control queue in several steps. Whoever else uses the queue has a turn between two of them, as all of them together take as long as
/// dozens of changes.
package final class MetricsReading: @unchecked Sendable {
    /// Reads a part of the counters.
    package struct Step: @unchecked Sendable {
        fileprivate let take: (inout MetricsSnapshot) throws -> [Step]

        package init(_ take: @escaping (inout MetricsSnapshot) throws -> Void) {
            self.take = { snapshot in
                try take(&snapshot)
                return []
            }
        }

        /// - Parameter others: returns steps that are taken in place of this one.
        package init(others: @escaping () -> [Step]) { take = { _ in others() } }
    }

    private let queue: DispatchQueue
    private let steps: [Step]
    /// Used on the queue only.
    private var hasEnded = false

    /// - Parameters:
    ///   - queue: a serial queue, the only place where the steps run.
    ///   - steps: they are taken in this order.
    package init(queue: DispatchQueue, steps: [Step]) { (self.queue, self.steps) = (queue, steps) }

    /// Takes no step any more, as what they read is about to end. It is called on the queue.
    package func end() { hasEnded = true }

    /// - Parameter done: called on any thread, with nil if a step has failed or may not be taken any more.
    package func read(_ done: @escaping @Sendable (MetricsSnapshot?) -> Void) { read(steps, MetricsSnapshot(), done) }

    /// Takes one step, and the next ones behind all that waits in the queue by then.
    private func read(_ steps: [Step], _ snapshot: MetricsSnapshot, _ done: @escaping @Sendable (MetricsSnapshot?) -> Void) {
        guard let step = steps.first else { return done(snapshot) }
        queue.async { [self] in
            var snapshot = snapshot
            guard !hasEnded, let others = try? step.take(&snapshot) else { return done(nil) }
            read(others + steps.dropFirst(), snapshot, done)
        }
    }
}
