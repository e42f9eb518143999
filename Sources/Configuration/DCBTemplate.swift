/// Settings of `dcb` that customarily go together.
public enum DCBTemplate: String, Equatable, Sendable, CaseIterable {
    case none
    /// LAN, SAN and iSCSI on one wire: FCoE and RoCE have priority 3, iSCSI has 4, and neither may lose frames. Each of the three has a share of the link. What
    /// the switch at the other end recommends is taken over.
    case converged
}

extension DCBSettings {
    /// These settings, with what the template says about features that are not written.
    var withTemplate: DCBSettings {
        guard template == .converged else { return self }
        var settings = self
        if ets == nil {
            var ets = ETSSettings()
            (ets.willing, ets.sharing.algorithms, ets.sharing.bandwidths) = (true, [.ets, .ets, .ets], [40, 40, 20])
            ets.sharing.classes = [0, 0, 0, 1, 2, 0, 0, 0]
            settings.ets = ets
        }
        if pfc == nil {
            var pfc = PFCSettings()
            (pfc.willing, pfc.priorities) = (true, [3, 4])
            settings.pfc = pfc
        }
        if app == nil {
            var app = AppSettings()
            app.willing = true
            // FCoE, FIP and RoCE by EtherType, RoCE v2 and iSCSI by port.
            app.etherTypes = [0x8906, 0x8914, 0x8915].map { AppPriority($0, priority: 3) }
            app.datagramPorts = [AppPriority(4_791, priority: 3)]
            app.streamPorts = [AppPriority(3_260, priority: 4)]
            settings.app = app
        }
        return settings
    }
}
