extension PortSettings {
    /// What happens beyond what is asked for when this port becomes `new`, in words that follow the change, such as "reopens tap host0: its addresses go". nil:
    /// nothing happens.
    /// - Parameters:
    ///   - bufferSize: the daemon's buffer size in bytes.
    ///   - adopts: whether the port's interface already has the name that the port is to use from now on.
    func sideEffects(of new: PortSettings, bufferSize: Int, adopts: Bool = false) -> String? {
        var effects: [String] = adopts ? ["its interface is called that already, and stays as it is"] : []
        switch (kind, new.kind) {
        case (.vhost(let socket, let mode, let queues), .vhost(let newSocket, let newMode, let newQueues)):
            if socket != newSocket { effects.append("the guest at the old socket loses its link") }
            else if mode != newMode || queues != newQueues { effects.append("reopens the socket: its guest loses its link until it is connected again") }
        case (.tap(let interface, let netns, _), .tap(let newInterface, let newNetns, _)):
            if interface != newInterface, !adopts { effects.append("reopens tap \(name): its addresses go") }
            else if netns != newNetns { effects.append("moves tap \(name) to another namespace: its addresses go") }
        case (.physical(let device, let queues), .physical(let newDevice, let newQueues)):
            if device != newDevice && !adopts || queues != newQueues { effects.append("reopens the device: frames may be lost meanwhile") }
            else if !device.hasPrefix("net_"), !device.contains(":") {
                let most = DeviceString.longestXDPMTU(bufferSize: bufferSize), mtu = options.mtu
                if (mtu <= most) != (new.mtu <= most) { effects.append("reopens the device with \(mtu <= most ? "AF_PACKET" : "AF_XDP where that works")") }
            }
        case (let old, _): effects.append(old.closing)
        }
        if bridge != new.bridge { effects.append("what \(bridge) had learned behind it is forgotten") }
        return effects.isEmpty ? nil : effects.joined(separator: "; ")
    }
}
