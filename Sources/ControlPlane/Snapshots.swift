import Configuration
import ControlAPI
import DataPlane
import Scheduler

/// What guests have counted at one moment. It is turned into statuses later, on another thread, as there may be thousands of guests.
struct GuestSnapshot: Sendable {
    let model: Model
    let amounts: [String: DataPlane.GuestAmounts]
    let delays: [String: DataPlane.GuestDelays]?
    let rates: TrafficBook

    func statuses() -> [GuestStatus] { statuses(of: model.effectiveGuests) }

    /// - Parameter name: nil: all guests.
    /// - Throws: an error if there is no guest of that name.
    func statuses(named name: String?) throws(RPCError) -> [GuestStatus] { statuses(of: try select(model.effectiveGuests, name, \.settings.name, "guest")) }

    private func statuses(of guests: [EffectiveGuest]) -> [GuestStatus] {
        let bridgeOfPort = Dictionary(model.ports.map { ($0.name, $0.bridge) }) { first, _ in first }
        return guests.map { guest in
            var status = GuestStatus()
            status.name = guest.settings.name
            status.port = guest.settings.port
            status.bridge = bridgeOfPort[guest.settings.port] ?? ""
            status.macs = guest.settings.macs.map(\.description)
            status.vlan = guest.settings.vlan
            status.options = Dictionary(guest.settings.optionWords.map { ($0.key, $0.value) }) { first, _ in first }
            status.group = guest.settings.group
            status.implicit = guest.isImplicit
            status.protocols = guest.settings.protocols.keys.sorted()
            status.inbound = amounts[guest.settings.name].map { Traffic($0.inbound) } ?? Traffic()
            status.outbound = amounts[guest.settings.name].map { Traffic($0.outbound) } ?? Traffic()
            (status.inboundCycles, status.outboundCycles) = amounts[guest.settings.name].map { ($0.inboundCycles, $0.outboundCycles) } ?? (0, 0)
            rates.fill(&status)
            if let delays {
                let own = delays[guest.settings.name]
                (status.inboundDelay, status.outboundDelay) = (DelayStatus(own?.inbound ?? DelayHistogram()), DelayStatus(own?.outbound ?? DelayHistogram()))
            }
            return status
        }
    }
}

/// The statuses of ports but for their guests, which are found later, on another thread.
struct PortSnapshot: Sendable {
    let model: Model
    let ports: [PortStatus]

    func statuses() -> [PortStatus] {
        let guests = Dictionary(grouping: model.effectiveGuests, by: \.settings.port)
        return ports.map { port in
            var status = port
            status.guests = guests[port.name]?.map(\.settings.name) ?? []
            return status
        }
    }
}
