import DPDKShim

extension RingTrial {
    /// Whether a device that has such limits, and nothing to prepare, is given a kept frame whole.
    package func isSegmented(_ index: Int, mostParts: UInt16, mostPartsAtOnce: UInt16) -> Bool {
        let device = TrialDevice(5)
        var wanted = sluice_segmentation(is_offered: true, header_checksum: true, most_parts: mostParts, most_parts_at_once: mostPartsAtOnce)
        return withExtendedLifetime(device) { sluice_device_prepare_segments(device.number, 0, frames[index], &wanted) }
    }
}
