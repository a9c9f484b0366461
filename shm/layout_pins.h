/* Every offset and size of the shared layout, as numbers: PIN(struct, field, offset), SIZE(struct, bytes).
 * layout.c asserts them and folds them into the layout hash. A change here is a change of SHM_LAYOUT_VERSION.
 */
#ifndef RINGMAIN_SHM_LAYOUT_PINS_H
#define RINGMAIN_SHM_LAYOUT_PINS_H

/* clang-format off */
#define LAYOUT_PINS(PIN, SIZE) \
    PIN(event, seq, 0) \
    PIN(event, mono_ns, 8) \
    PIN(event, type, 16) \
    PIN(event, slot, 18) \
    PIN(event, a, 20) \
    PIN(event, b, 22) \
    PIN(event, value, 24) \
    PIN(event, c, 32) \
    PIN(event, text, 36) \
    SIZE(event, 64) \
    PIN(command, id, 0) \
    PIN(command, type, 8) \
    PIN(command, slot, 10) \
    PIN(command, a, 12) \
    PIN(command, value, 16) \
    PIN(command, expires_mono_ns, 24) \
    PIN(command, text, 32) \
    SIZE(command, 128) \
    PIN(command_result, id, 0) \
    PIN(command_result, mono_ns, 8) \
    PIN(command_result, type, 16) \
    PIN(command_result, status, 18) \
    PIN(command_result, slot, 20) \
    PIN(command_result, detail, 22) \
    SIZE(command_result, 64) \
    PIN(session_record, session_id, 0) \
    PIN(session_record, boot_id, 8) \
    PIN(session_record, start_mono_ns, 16) \
    PIN(session_record, stop_mono_ns, 24) \
    PIN(session_record, energy_mwh, 32) \
    PIN(session_record, meter_start_wh, 40) \
    PIN(session_record, meter_stop_wh, 48) \
    PIN(session_record, charging_ms, 56) \
    PIN(session_record, peak_w, 64) \
    PIN(session_record, slot, 68) \
    PIN(session_record, auth_source, 70) \
    PIN(session_record, stop_reason, 71) \
    PIN(session_record, fault, 72) \
    PIN(session_record, soc_start_pct, 74) \
    PIN(session_record, soc_stop_pct, 75) \
    PIN(session_record, meter_source, 76) \
    PIN(session_record, energised, 77) \
    PIN(session_record, id_token, 80) \
    PIN(session_record, evccid, 120) \
    SIZE(session_record, 144) \
    PIN(session_slot, running, 0) \
    PIN(session_slot, finished_count, 144) \
    PIN(session_slot, finished, 152) \
    SIZE(session_slot, 2456) \
    PIN(status_contactor, fitted, 0) \
    PIN(status_contactor, command, 1) \
    PIN(status_contactor, feedback, 2) \
    PIN(status_contactor, flags, 3) \
    PIN(status_contactor, operate_ms, 4) \
    PIN(status_contactor, release_ms, 6) \
    PIN(status_contactor, operations, 8) \
    PIN(status_contactor, loaded_operations, 12) \
    SIZE(status_contactor, 16) \
    PIN(status_module, flags, 0) \
    PIN(status_module, fault, 2) \
    PIN(status_module, alarm_bits, 4) \
    PIN(status_module, set_mv, 8) \
    PIN(status_module, set_ma, 12) \
    PIN(status_module, voltage_mv, 16) \
    PIN(status_module, current_ma, 20) \
    PIN(status_module, capability_w, 24) \
    PIN(status_module, temperature_ddegc, 28) \
    SIZE(status_module, 32) \
    PIN(status_slot, gun_state, 0) \
    PIN(status_slot, cp_state, 1) \
    PIN(status_slot, hlc_stage, 2) \
    PIN(status_slot, limit_reason, 3) \
    PIN(status_slot, stop_class, 4) \
    PIN(status_slot, stop_reason, 5) \
    PIN(status_slot, locked, 6) \
    PIN(status_slot, soc_pct, 7) \
    PIN(status_slot, fault, 8) \
    PIN(status_slot, flags, 10) \
    PIN(status_slot, auth_source, 11) \
    PIN(status_slot, priority_class, 12) \
    PIN(status_slot, imd, 13) \
    PIN(status_slot, island, 14) \
    PIN(status_slot, faults, 16) \
    PIN(status_slot, session_id, 24) \
    PIN(status_slot, session_energy_mwh, 32) \
    PIN(status_slot, state_since_mono_ns, 40) \
    PIN(status_slot, budget_w, 48) \
    PIN(status_slot, offered_w, 52) \
    PIN(status_slot, target_mv, 56) \
    PIN(status_slot, target_ma, 60) \
    PIN(status_slot, ev_max_mv, 64) \
    PIN(status_slot, ev_max_ma, 68) \
    PIN(status_slot, ev_max_w, 72) \
    PIN(status_slot, bus_mv, 76) \
    PIN(status_slot, gun_mv, 80) \
    PIN(status_slot, gun_ma, 84) \
    PIN(status_slot, boundary_ma, 88) \
    PIN(status_slot, power_w, 92) \
    PIN(status_slot, insulation_ohm, 96) \
    PIN(status_slot, pin_plus_ddegc, 100) \
    PIN(status_slot, pin_minus_ddegc, 104) \
    PIN(status_slot, cable_ddegc, 108) \
    PIN(status_slot, ev_capacity_wh, 112) \
    PIN(status_slot, rejected_proposals, 116) \
    PIN(status_slot, crc_errors, 120) \
    PIN(status_slot, ack_retries, 124) \
    PIN(status_slot, meter_wh, 128) \
    PIN(status_slot, id_token, 136) \
    PIN(status_slot, module_count, 176) \
    PIN(status_slot, boundary, 177) \
    PIN(status_slot, owner, 178) \
    PIN(status_slot, capacity_w, 180) \
    PIN(status_slot, guide_now_w, 184) \
    PIN(status_slot, guide_later_w, 188) \
    PIN(status_slot, lends_to, 192) \
    PIN(status_slot, boundary_reason, 194) \
    PIN(status_slot, borrowed, 195) \
    PIN(status_slot, borrowed_w, 196) \
    PIN(status_slot, contactor, 200) \
    PIN(status_slot, module, 376) \
    SIZE(status_slot, 632) \
    PIN(status_interface, state, 0) \
    PIN(status_interface, restarts_refused, 1) \
    PIN(status_interface, restarts, 4) \
    PIN(status_interface, rx_frames, 8) \
    PIN(status_interface, tx_frames, 12) \
    PIN(status_interface, tx_overflow, 16) \
    PIN(status_interface, rx_dropped, 20) \
    PIN(status_interface, error_frames, 24) \
    SIZE(status_interface, 28) \
    PIN(status, boot_id, 0) \
    PIN(status, mono_ns, 8) \
    PIN(status, guard_steps, 16) \
    PIN(status, planner_cycles, 24) \
    PIN(status, planner_overruns, 32) \
    PIN(status, proposals_rejected, 40) \
    PIN(status, slots, 48) \
    PIN(status, interfaces, 52) \
    PIN(status, flags, 56) \
    PIN(status, estop, 60) \
    PIN(status, site_limit_w, 64) \
    PIN(status, grid_limit_w, 72) \
    PIN(status, site_power_w, 80) \
    PIN(status, lease_expires_mono_ns, 88) \
    PIN(status, site_limit_reason, 96) \
    PIN(status, events_dropped, 100) \
    PIN(status, planner_age_ms, 104) \
    PIN(status, page_faults, 108) \
    PIN(status, heap_calls, 112) \
    PIN(status, guide_slot, 116) \
    PIN(status, interface, 120) \
    PIN(status, slot, 1464) \
    PIN(telemetry, cycle, 0) \
    PIN(telemetry, start_mono_ns, 8) \
    PIN(telemetry, budgets_w, 16) \
    PIN(telemetry, site_power_w, 24) \
    PIN(telemetry, site_limit_w, 32) \
    PIN(telemetry, demand_w, 40) \
    PIN(telemetry, energy_mwh, 48) \
    PIN(telemetry, guard_steps, 56) \
    PIN(telemetry, lateness_ns, 64) \
    PIN(telemetry, duration_ns, 68) \
    PIN(telemetry, guard_max_ns, 72) \
    PIN(telemetry, guard_late_ns, 76) \
    PIN(telemetry, rx_frames, 80) \
    PIN(telemetry, tx_frames, 84) \
    PIN(telemetry, overruns, 88) \
    PIN(telemetry, rejected, 92) \
    PIN(telemetry, guns_plugged, 96) \
    PIN(telemetry, guns_charging, 98) \
    PIN(telemetry, guns_faulted, 100) \
    PIN(telemetry, modules_running, 102) \
    PIN(telemetry, modules_healthy, 104) \
    PIN(telemetry, islands, 106) \
    PIN(telemetry, limit_reason, 108) \
    SIZE(telemetry, 128) \
    PIN(diag_duty, cycles, 0) \
    PIN(diag_duty, over_threshold, 8) \
    PIN(diag_duty, last_ns, 16) \
    PIN(diag_duty, max_ns, 24) \
    PIN(diag_duty, threshold_ns, 32) \
    SIZE(diag_duty, 128) \
    PIN(diag_histogram, count, 0) \
    PIN(diag_histogram, sum_ns, 8) \
    PIN(diag_histogram, min_ns, 16) \
    PIN(diag_histogram, max_ns, 24) \
    PIN(diag_histogram, bucket, 64) \
    SIZE(diag_histogram, 4288) \
    PIN(diag_error, count, 0) \
    PIN(diag_error, first_mono_ns, 8) \
    PIN(diag_error, last_mono_ns, 16) \
    PIN(diag_error, key, 24) \
    PIN(diag_error, text, 32) \
    SIZE(diag_error, 128) \
    PIN(diag, counter, 0) \
    PIN(diag, duty, 768) \
    PIN(diag, histogram, 1024) \
    PIN(diag, error, 22464) \
    PIN(diag, errors_lost, 30656) \
    SIZE(diag, 30784) \
    PIN(ring_line, index, 0) \
    PIN(ring_line, dropped, 8) \
    PIN(ring_line, faults, 16) \
    SIZE(ring_line, 128) \
    PIN(overwrite_line, intent, 0) \
    PIN(overwrite_line, index, 8) \
    SIZE(overwrite_line, 128) \
    PIN(snapshot, seq, 0) \
    PIN(snapshot, length, 8) \
    SIZE(snapshot, 64) \
    PIN(shm_latches, boot_id, 0) \
    PIN(shm_latches, boot_count, 8) \
    PIN(shm_latches, estop_latched, 16) \
    PIN(shm_latches, known, 20) \
    PIN(shm_latches, latched, 24) \
    PIN(shm_region, offset, 0) \
    PIN(shm_region, size, 8) \
    SIZE(shm_region, 16) \
    PIN(shm_boot, boot_id, 0) \
    PIN(shm_boot, first_seq, 8) \
    SIZE(shm_boot, 16) \
    PIN(shm_header, magic, 0) \
    PIN(shm_header, version, 8) \
    PIN(shm_header, header_size, 12) \
    PIN(shm_header, layout_hash, 16) \
    PIN(shm_header, segment_size, 24) \
    PIN(shm_header, region, 32) \
    PIN(shm_header, state, 192) \
    PIN(shm_header, boot_id, 200) \
    PIN(shm_header, boots, 208) \
    PIN(shm_header, rt_pid, 216) \
    PIN(shm_header, started_mono_ns, 224) \
    PIN(shm_header, boot, 232) \
    PIN(shm_header, heartbeat_mono_ns, 512) \
    PIN(shm_header, heartbeats, 520) \
    SIZE(shm_header, 576) \
    PIN(shm_nrt, heartbeat_mono_ns, 0) \
    PIN(shm_nrt, heartbeats, 8) \
    PIN(shm_nrt, nrt_pid, 16) \
    PIN(shm_nrt, events_consumer, 128) \
    PIN(shm_nrt, results_consumer, 256) \
    PIN(shm_nrt, commands_producer, 384) \
    PIN(shm_nrt, command, 512) \
    SIZE(shm_nrt, 33280) \
    PIN(shm_lines, events_producer, 0) \
    PIN(shm_lines, results_producer, 128) \
    PIN(shm_lines, commands_consumer, 256) \
    PIN(shm_lines, telemetry, 384) \
    SIZE(shm_lines, 512) \
    PIN(shm_segment, header, 0) \
    PIN(shm_segment, nrt, 4096) \
    PIN(shm_segment, lines, 40960) \
    PIN(shm_segment, event, 45056) \
    PIN(shm_segment, result, 569344) \
    PIN(shm_segment, telemetry, 585728) \
    PIN(shm_segment, status, 716800)

/* What depends on RM_SLOTS_MAX; the numbers are those of 96 slots. */
#define LAYOUT_PINS_SLOTS(PIN, SIZE) \
    SIZE(status, 62136) \
    SIZE(shm_latches, 792) \
    PIN(shm_segment, sessions, 782336) \
    PIN(shm_segment, latches, 1273856) \
    PIN(shm_segment, diag, 1277952) \
    SIZE(shm_segment, 1310720)
/* clang-format on */

#endif
