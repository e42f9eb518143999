import Configuration
import ControlAPI
import DataPlane

extension Engine {
    /// Answers `capture.start`.
    func capture(_ params: CaptureParams, _ peer: Peer?) throws -> Response {
        try params.check()
        let (place, ports) = try captured(params.name, params.kind)
        var settings = CaptureSettings(place)
        settings.expression = params.expression
        settings.entering = params.direction != .out
        settings.leaving = params.direction != .in
        settings.before = params.before ?? false
        settings.droppedOnly = params.dropped ?? false
        if let snaplen = params.snaplen { settings.longest = snaplen }
        if let rate = params.rate { settings.rate = UInt64(rate) }
        if case .class(let path) = place, !dataPlane.treeDescriptions.contains(where: { settings.takes($0.kind) && !$0.leaves(of: path).isEmpty }) {
            let (there, direction) = settings.entering ? ("towards guests, not from them", "out") : ("from guests, not towards them", "in")
            throw RPCError(RPCError.notFound, "class \(path) is for traffic \(there): write --direction \(direction), or leave it out")
        }
        guard let captureQueue else { throw RPCError(RPCError.failed, "captures cannot be made here") }
        let capture = try dataPlane.beginCapture(settings)
        let what = place.description
        let about = params.expression.map { "'\($0)'" } ?? "all frames"
        log.notice("a capture of \(what) has begun: \(about)", metadata: peer.map(Self.metadata))
        let stream = CaptureStream(capture, params, interfaces: ports, dataPlane, queue: captureQueue)
        captures.removeAll { !$0.isRunning }
        captures.append(stream)
        return .stream(stream, of: CaptureReply(what: what))
    }

    /// Ends captures of what the configuration does not have any more.
    func endForsakenCaptures() {
        if captures.isEmpty { return }
        captures.removeAll { !$0.isRunning }
        for stream in captures where !exists(stream.capture.settings) {
            let what = stream.capture.settings.place.description
            stream.stop(because: "\(what) was deleted")
            log.notice("the capture of \(what) has ended, as that was deleted")
        }
    }

    private func exists(_ settings: CaptureSettings) -> Bool {
        switch settings.place {
        case .guest(let name): dataPlane.model.effectiveGuests.contains { $0.settings.name == name }
        case .port(let name): dataPlane.model.ports.contains { $0.name == name }
        case .class(let path): dataPlane.treeDescriptions.contains { settings.takes($0.kind) && !$0.leaves(of: path).isEmpty }
        }
    }

    /// What a name means, and the ports at which frames can be seen that come to mind first.
    private func captured(_ name: String, _ kind: CaptureParams.Kind?) throws -> (CaptureSettings.Place, ports: [String]) {
        if kind == nil || kind == .guest, let guest = dataPlane.model.effectiveGuests.first(where: { $0.settings.name == name }) {
            return (.guest(name), [guest.settings.port])
        }
        if kind == nil || kind == .port, dataPlane.model.ports.contains(where: { $0.name == name }) { return (.port(name), [name]) }
        if kind == nil || kind == .class, dataPlane.treeDescriptions.contains(where: { !$0.leaves(of: name).isEmpty }) { return (.class(name), []) }
        let what = kind.map { "\($0.rawValue)" } ?? "guest, port or class"
        throw RPCError(RPCError.notFound, "there is no \(what) '\(name)': `sluice guest show`, `sluice port show` and `sluice class show` list what there is")
    }
}

extension CaptureSettings {
    /// Whether a tree's classes are of a direction that is captured.
    fileprivate func takes(_ kind: TreeDescription.Kind) -> Bool { if case .inbound = kind { leaving } else { entering } }
}

extension CaptureSettings.Place: CustomStringConvertible {
    public var description: String {
        switch self {
        case .port(let name): "port \(name)"
        case .guest(let name): "guest \(name)"
        case .class(let path): "class \(path)"
        }
    }
}
