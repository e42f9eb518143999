import Configuration
import Dispatch

extension Engine {
    /// Serves metrics where the configuration that runs says. What is not possible is logged, and tried again every second.
    /// - Parameter listener: a socket that was opened for that already.
    func serveMetrics(_ listener: MetricsListener? = nil) {
        guard let sentence = metricsService?.follow(dataPlane.model.daemon.metrics, listener, metrics) else { return }
        log.warning("\(sentence)")
    }
}

/// Where metrics are served follows the configuration.
struct MetricsService {
    let queue: DispatchQueue
    let access: Access?
    private var server: MetricsServer?
    private(set) var address: MetricsAddress?
    /// The last reason why metrics are not served, which is told once.
    private var told: String?

    init(queue: DispatchQueue, access: Access?) { (self.queue, self.access) = (queue, access) }

    /// Opens the socket that a change needs.
    /// - Returns: nil: nothing changes.
    /// - Throws: a sentence; then the change cannot be made.
    func prepared(_ new: MetricsAddress?) throws(ControlSocketError) -> MetricsListener? {
        guard let new, new != address else { return nil }
        return try MetricsListener(new, access)
    }

    /// Serves at an address from now on, and nowhere else; nil: nowhere at all.
    /// - Parameters:
    ///   - listener: what `prepared` returned; nil: the socket is opened now.
    ///   - steps: the steps in which the counters are read.
    /// - Returns: a sentence that says why that is not possible, once.
    mutating func follow(_ wanted: MetricsAddress?, _ listener: MetricsListener?, _ steps: @autoclosure () -> [MetricsReading.Step]) -> String? {
        guard wanted != address else { return nil }
        do throws(ControlSocketError) {
            let opened: MetricsListener? = if let listener { listener } else { try prepared(wanted) }
            stop()
            guard let opened else { return nil }
            server = try MetricsServer(opened, MetricsReading(queue: queue, steps: steps()))
            (address, told) = (wanted, nil)
            return nil
        } catch {
            defer { told = error.description }
            return told == error.description ? nil : error.description
        }
    }

    mutating func stop() {
        server?.stop()
        (server, address) = (nil, nil)
    }
}
