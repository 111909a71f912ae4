// The public surface of oxpg. Generated from src by `npm run build`: edit there, not here.

import { inspect, InspectOptionsStylized } from 'node:util';

/**
 * The fields of an ErrorResponse or NoticeResponse (PostgreSQL manual, "Error and Notice Message Fields"). A field that
 * the server did not send is undefined.
 */
interface ServerMessageFields {
    /** `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`. */
    severity?: string | undefined;
    /** Five characters (PostgreSQL manual, appendix A). */
    sqlstate?: string | undefined;
    /** A second sentence with more about the problem. */
    detail?: string | undefined;
    /** What to do about it, perhaps. */
    hint?: string | undefined;
    /** Where in the query the problem is, counted from 1 in UTF-16 units, as JavaScript counts. */
    position?: number | undefined;
    /** The same in `internalQuery`. */
    internalPosition?: number | undefined;
    /** The text of a failed command that a function of the server generated. */
    internalQuery?: string | undefined;
    /** The call stack of procedural functions and generated queries, one entry a line, newest first. */
    where?: string | undefined;
    schemaName?: string | undefined;
    tableName?: string | undefined;
    columnName?: string | undefined;
    dataTypeName?: string | undefined;
    constraintName?: string | undefined;
    /** The file of the server's source that reported the problem. */
    file?: string | undefined;
    /** The line in that file. */
    line?: number | undefined;
    /** The function in that file. */
    routine?: string | undefined;
}

/**
 * A message that the server sent without being asked: a notice, a warning, a line of its log. Warnings are of the
 * subclass {@link PostgresWarning} and its subclasses. It is no Error, since nothing failed.
 */
declare class PostgresLogMessage implements ServerMessageFields {
    /** The SQLSTATE that this class stands for; undefined for the base class. */
    static readonly sqlstate: string | undefined;
    /** The text for people. */
    readonly message: string;
    /** Five characters; `00000` for plain notices. */
    readonly sqlstate: string;
    /** `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`. */
    readonly severity: string | undefined;
    readonly detail: string | undefined;
    readonly hint: string | undefined;
    /** Where in the query the cause is, in characters, counted from 1. */
    readonly position: number | undefined;
    /** Where in `internalQuery` the cause is, in characters, counted from 1. */
    readonly internalPosition: number | undefined;
    readonly internalQuery: string | undefined;
    readonly where: string | undefined;
    readonly schemaName: string | undefined;
    readonly tableName: string | undefined;
    readonly columnName: string | undefined;
    readonly dataTypeName: string | undefined;
    readonly constraintName: string | undefined;
    /** The file of the server's source that sent the message. */
    readonly file: string | undefined;
    readonly line: number | undefined;
    readonly routine: string | undefined;
    constructor(message: string, fields?: ServerMessageFields);
    /** The SQLSTATE under the name that errors have for it. */
    get code(): string;
}

/**
 * Who has a connection of a pool: one that the application leased and has not released, or one that a hook of the pool has
 * for itself.
 */
interface PoolHolder {
    /** The process id of the server's backend. */
    readonly serverPid: number;
    /** Milliseconds since it was leased, or since the hook was called. */
    readonly heldMs: number;
    /** The method of the pool that leased it, or the hook that runs. */
    readonly call: 'acquire' | 'use' | 'transaction' | 'begin' | 'stream' | 'init' | 'setup' | 'reset';
    /** Where it was leased, as the stack of an Error has it; undefined unless the pool has `leakDetectionMs`. */
    readonly stack: string | undefined;
}

/** What a PostgresError can be given beside its message. */
interface PostgresErrorFields extends ServerMessageFields {
    /** Whether the server sent it. Default false. */
    fromServer?: boolean | undefined;
    /** Whether the request certainly took no effect. Default false. */
    safeToRetry?: boolean | undefined;
    /** The query's text, without its parameters. */
    query?: string | undefined;
    /** The parameter that does not fit, counted from 1. */
    parameter?: number | undefined;
    /** The element of that parameter, an array, counted from 1. */
    element?: number | undefined;
    /** The row of an executeMany or fetchMany, counted from 0. */
    row?: number | undefined;
    /** The statement of a batch, counted from 0. */
    statement?: number | undefined;
    /** The error behind this one, such as the system's `ECONNREFUSED`. */
    cause?: unknown;
}
/**
 * The server said no, or the connection to it failed. There is a subclass for every SQLSTATE: `error instanceof
 * UniqueViolationError`, or `error.sqlstate === UniqueViolationError.sqlstate`.
 */
declare class PostgresError extends Error implements ServerMessageFields {
    /** The SQLSTATE that this class stands for; undefined for the base class. */
    static readonly sqlstate: string | undefined;
    /** Five characters (PostgreSQL manual, appendix A); empty when the server sent none. */
    readonly sqlstate: string;
    /** Whether the server sent this error; false when the driver found the problem. */
    readonly fromServer: boolean;
    /** Whether the request certainly took no effect, so that sending it again cannot do it twice. */
    readonly safeToRetry: boolean;
    /** The query's text, without its parameters. It is not enumerable, for queries may hold secrets. */
    readonly query: string | undefined;
    readonly severity: string | undefined;
    readonly detail: string | undefined;
    readonly hint: string | undefined;
    /**
     * Where in the query the problem is, counted from 1 in UTF-16 units, as JavaScript counts: the text from there on is
     * `query.slice(position - 1)`.
     */
    readonly position: number | undefined;
    /** Where in `internalQuery` the problem is, counted likewise. */
    readonly internalPosition: number | undefined;
    readonly internalQuery: string | undefined;
    readonly where: string | undefined;
    readonly schemaName: string | undefined;
    readonly tableName: string | undefined;
    readonly columnName: string | undefined;
    readonly dataTypeName: string | undefined;
    readonly constraintName: string | undefined;
    /** The file of the server's source that reported the problem. */
    readonly file: string | undefined;
    readonly line: number | undefined;
    readonly routine: string | undefined;
    /** The parameter that does not fit, counted from 1. */
    readonly parameter: number | undefined;
    /** The element of that parameter, an array, counted from 1. */
    readonly element: number | undefined;
    /** The row of an executeMany or fetchMany that failed, counted from 0. */
    readonly row: number | undefined;
    /** The statement of a `batch` that failed, counted from 0. */
    readonly statement: number | undefined;
    /** Of opening a session with several hosts or addresses: what each of them came to, in the order of the attempts. */
    readonly errors: readonly Error[] | undefined;
    constructor(message: string, fields?: PostgresErrorFields);
    /** The SQLSTATE under the name that Node's errors and other drivers use. */
    get code(): string;
    /** Whether the same request may well succeed when it is made again. */
    get isTransient(): boolean;
}
/** An error that ended the session. */
declare class FatalPostgresError extends PostgresError {
}
/** The server sent an error without an SQLSTATE. */
declare class UnknownPostgresError extends FatalPostgresError {
}

/** SQLSTATE 01000, warning. */
declare class PostgresWarning extends PostgresLogMessage {
    static readonly sqlstate: string;
}
/** SQLSTATE 01003, null_value_eliminated_in_set_function. */
declare class NullValueEliminatedInSetFunction extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 01004, string_data_right_truncation. */
declare class StringDataRightTruncation extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 01006, privilege_not_revoked. */
declare class PrivilegeNotRevoked extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 01007, privilege_not_granted. */
declare class PrivilegeNotGranted extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 01008, implicit_zero_bit_padding. */
declare class ImplicitZeroBitPadding extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 0100C, dynamic_result_sets_returned. */
declare class DynamicResultSetsReturned extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 01P01, deprecated_feature. */
declare class DeprecatedFeature extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 02000, no_data. */
declare class NoData extends PostgresWarning {
    static readonly sqlstate: string;
}
/** SQLSTATE 02001, no_additional_dynamic_result_sets_returned. */
declare class NoAdditionalDynamicResultSetsReturned extends NoData {
    static readonly sqlstate: string;
}
/** SQLSTATE 03000, sql_statement_not_yet_complete. */
declare class SQLStatementNotYetCompleteError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 08000, connection_exception. */
declare class PostgresConnectionError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 08001, sqlclient_unable_to_establish_sqlconnection. */
declare class ClientCannotConnectError extends PostgresConnectionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 08003, connection_does_not_exist. */
declare class ConnectionDoesNotExistError extends PostgresConnectionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 08004, sqlserver_rejected_establishment_of_sqlconnection. */
declare class ConnectionRejectionError extends PostgresConnectionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 08006, connection_failure. */
declare class ConnectionFailureError extends PostgresConnectionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 08007, transaction_resolution_unknown. */
declare class TransactionResolutionUnknownError extends PostgresConnectionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 08P01, protocol_violation. */
declare class ProtocolViolationError extends PostgresConnectionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 09000, triggered_action_exception. */
declare class TriggeredActionError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0A000, feature_not_supported. */
declare class FeatureNotSupportedError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0B000, invalid_transaction_initiation. */
declare class InvalidTransactionInitiationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0F000, locator_exception. */
declare class LocatorError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0F001, invalid_locator_specification. */
declare class InvalidLocatorSpecificationError extends LocatorError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0L000, invalid_grantor. */
declare class InvalidGrantorError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0LP01, invalid_grant_operation. */
declare class InvalidGrantOperationError extends InvalidGrantorError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0P000, invalid_role_specification. */
declare class InvalidRoleSpecificationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0Z000, diagnostics_exception. */
declare class DiagnosticsError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 0Z002, stacked_diagnostics_accessed_without_active_handler. */
declare class StackedDiagnosticsAccessedWithoutActiveHandlerError extends DiagnosticsError {
    static readonly sqlstate: string;
}
/** SQLSTATE 10608, invalid_argument_for_xquery. */
declare class InvalidArgumentForXqueryError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 20000, case_not_found. */
declare class CaseNotFoundError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 21000, cardinality_violation. */
declare class CardinalityViolationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22000, data_exception. */
declare class DataError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22001, string_data_right_truncation. */
declare class StringDataRightTruncationError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22002, null_value_no_indicator_parameter. */
declare class NullValueNoIndicatorParameterError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22003, numeric_value_out_of_range. */
declare class NumericValueOutOfRangeError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22004, null_value_not_allowed. */
declare class NullValueNotAllowedError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22005, error_in_assignment. */
declare class ErrorInAssignmentError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22007, invalid_datetime_format. */
declare class InvalidDatetimeFormatError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22008, datetime_value_out_of_range. */
declare class DatetimeFieldOverflowError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22009, invalid_time_zone_displacement_value. */
declare class InvalidTimeZoneDisplacementValueError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200B, escape_character_conflict. */
declare class EscapeCharacterConflictError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200C, invalid_use_of_escape_character. */
declare class InvalidUseOfEscapeCharacterError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200D, invalid_escape_octet. */
declare class InvalidEscapeOctetError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200F, zero_length_character_string. */
declare class ZeroLengthCharacterStringError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200G, most_specific_type_mismatch. */
declare class MostSpecificTypeMismatchError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200H, sequence_generator_limit_exceeded. */
declare class SequenceGeneratorLimitExceededError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200L, not_an_xml_document. */
declare class NotAnXmlDocumentError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200M, invalid_xml_document. */
declare class InvalidXmlDocumentError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200N, invalid_xml_content. */
declare class InvalidXmlContentError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200S, invalid_xml_comment. */
declare class InvalidXmlCommentError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2200T, invalid_xml_processing_instruction. */
declare class InvalidXmlProcessingInstructionError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22010, invalid_indicator_parameter_value. */
declare class InvalidIndicatorParameterValueError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22011, substring_error. */
declare class SubstringError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22012, division_by_zero. */
declare class DivisionByZeroError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22013, invalid_preceding_or_following_size. */
declare class InvalidPrecedingOrFollowingSizeError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22014, invalid_argument_for_ntile_function. */
declare class InvalidArgumentForNtileFunctionError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22015, interval_field_overflow. */
declare class IntervalFieldOverflowError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22016, invalid_argument_for_nth_value_function. */
declare class InvalidArgumentForNthValueFunctionError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22018, invalid_character_value_for_cast. */
declare class InvalidCharacterValueForCastError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22019, invalid_escape_character. */
declare class InvalidEscapeCharacterError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2201B, invalid_regular_expression. */
declare class InvalidRegularExpressionError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2201E, invalid_argument_for_logarithm. */
declare class InvalidArgumentForLogarithmError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2201F, invalid_argument_for_power_function. */
declare class InvalidArgumentForPowerFunctionError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2201G, invalid_argument_for_width_bucket_function. */
declare class InvalidArgumentForWidthBucketFunctionError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2201W, invalid_row_count_in_limit_clause. */
declare class InvalidRowCountInLimitClauseError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2201X, invalid_row_count_in_result_offset_clause. */
declare class InvalidRowCountInResultOffsetClauseError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22021, character_not_in_repertoire. */
declare class CharacterNotInRepertoireError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22022, indicator_overflow. */
declare class IndicatorOverflowError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22023, invalid_parameter_value. */
declare class InvalidParameterValueError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22024, unterminated_c_string. */
declare class UnterminatedCStringError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22025, invalid_escape_sequence. */
declare class InvalidEscapeSequenceError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22026, string_data_length_mismatch. */
declare class StringDataLengthMismatchError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22027, trim_error. */
declare class TrimError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2202E, array_subscript_error. */
declare class ArraySubscriptError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2202G, invalid_tablesample_repeat. */
declare class InvalidTablesampleRepeatError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2202H, invalid_tablesample_argument. */
declare class InvalidTablesampleArgumentError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22030, duplicate_json_object_key_value. */
declare class DuplicateJsonObjectKeyValueError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22031, invalid_argument_for_sql_json_datetime_function. */
declare class InvalidArgumentForSQLJsonDatetimeFunctionError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22032, invalid_json_text. */
declare class InvalidJsonTextError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22033, invalid_sql_json_subscript. */
declare class InvalidSQLJsonSubscriptError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22034, more_than_one_sql_json_item. */
declare class MoreThanOneSQLJsonItemError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22035, no_sql_json_item. */
declare class NoSQLJsonItemError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22036, non_numeric_sql_json_item. */
declare class NonNumericSQLJsonItemError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22037, non_unique_keys_in_a_json_object. */
declare class NonUniqueKeysInAJsonObjectError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22038, singleton_sql_json_item_required. */
declare class SingletonSQLJsonItemRequiredError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22039, sql_json_array_not_found. */
declare class SQLJsonArrayNotFoundError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2203A, sql_json_member_not_found. */
declare class SQLJsonMemberNotFoundError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2203B, sql_json_number_not_found. */
declare class SQLJsonNumberNotFoundError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2203C, sql_json_object_not_found. */
declare class SQLJsonObjectNotFoundError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2203D, too_many_json_array_elements. */
declare class TooManyJsonArrayElementsError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2203E, too_many_json_object_members. */
declare class TooManyJsonObjectMembersError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2203F, sql_json_scalar_required. */
declare class SQLJsonScalarRequiredError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2203G, sql_json_item_cannot_be_cast_to_target_type. */
declare class SQLJsonItemCannotBeCastToTargetTypeError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22P01, floating_point_exception. */
declare class PostgresFloatingPointError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22P02, invalid_text_representation. */
declare class InvalidTextRepresentationError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22P03, invalid_binary_representation. */
declare class InvalidBinaryRepresentationError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22P04, bad_copy_file_format. */
declare class BadCopyFileFormatError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22P05, untranslatable_character. */
declare class UntranslatableCharacterError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 22P06, nonstandard_use_of_escape_character. */
declare class NonstandardUseOfEscapeCharacterError extends DataError {
    static readonly sqlstate: string;
}
/** SQLSTATE 23000, integrity_constraint_violation. */
declare class IntegrityConstraintViolationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 23001, restrict_violation. */
declare class RestrictViolationError extends IntegrityConstraintViolationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 23502, not_null_violation. */
declare class NotNullViolationError extends IntegrityConstraintViolationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 23503, foreign_key_violation. */
declare class ForeignKeyViolationError extends IntegrityConstraintViolationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 23505, unique_violation. */
declare class UniqueViolationError extends IntegrityConstraintViolationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 23514, check_violation. */
declare class CheckViolationError extends IntegrityConstraintViolationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 23P01, exclusion_violation. */
declare class ExclusionViolationError extends IntegrityConstraintViolationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 24000, invalid_cursor_state. */
declare class InvalidCursorStateError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25000, invalid_transaction_state. */
declare class InvalidTransactionStateError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25001, active_sql_transaction. */
declare class ActiveSQLTransactionError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25002, branch_transaction_already_active. */
declare class BranchTransactionAlreadyActiveError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25003, inappropriate_access_mode_for_branch_transaction. */
declare class InappropriateAccessModeForBranchTransactionError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25004, inappropriate_isolation_level_for_branch_transaction. */
declare class InappropriateIsolationLevelForBranchTransactionError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25005, no_active_sql_transaction_for_branch_transaction. */
declare class NoActiveSQLTransactionForBranchTransactionError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25006, read_only_sql_transaction. */
declare class ReadOnlySQLTransactionError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25007, schema_and_data_statement_mixing_not_supported. */
declare class SchemaAndDataStatementMixingNotSupportedError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25008, held_cursor_requires_same_isolation_level. */
declare class HeldCursorRequiresSameIsolationLevelError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25P01, no_active_sql_transaction. */
declare class NoActiveSQLTransactionError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25P02, in_failed_sql_transaction. */
declare class InFailedSQLTransactionError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25P03, idle_in_transaction_session_timeout. */
declare class IdleInTransactionSessionTimeoutError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 25P04, transaction_timeout. */
declare class TransactionTimeoutError extends InvalidTransactionStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 26000, undefined_pstatement. */
declare class InvalidSQLStatementNameError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 27000, triggered_data_change_violation. */
declare class TriggeredDataChangeViolationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 28000, invalid_authorization_specification. */
declare class InvalidAuthorizationSpecificationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 28P01, invalid_password. */
declare class InvalidPasswordError extends InvalidAuthorizationSpecificationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2B000, dependent_privilege_descriptors_still_exist. */
declare class DependentPrivilegeDescriptorsStillExistError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2BP01, dependent_objects_still_exist. */
declare class DependentObjectsStillExistError extends DependentPrivilegeDescriptorsStillExistError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2D000, invalid_transaction_termination. */
declare class InvalidTransactionTerminationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2F000, sql_routine_exception. */
declare class SQLRoutineError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2F002, modifying_sql_data_not_permitted. */
declare class ModifyingSQLDataNotPermittedError extends SQLRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2F003, prohibited_sql_statement_attempted. */
declare class ProhibitedSQLStatementAttemptedError extends SQLRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2F004, reading_sql_data_not_permitted. */
declare class ReadingSQLDataNotPermittedError extends SQLRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 2F005, function_executed_no_return_statement. */
declare class FunctionExecutedNoReturnStatementError extends SQLRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 34000, undefined_cursor. */
declare class InvalidCursorNameError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 38000, external_routine_exception. */
declare class ExternalRoutineError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 38001, containing_sql_not_permitted. */
declare class ContainingSQLNotPermittedError extends ExternalRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 38002, modifying_sql_data_not_permitted. */
declare class ModifyingExternalRoutineSQLDataNotPermittedError extends ExternalRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 38003, prohibited_sql_statement_attempted. */
declare class ProhibitedExternalRoutineSQLStatementAttemptedError extends ExternalRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 38004, reading_sql_data_not_permitted. */
declare class ReadingExternalRoutineSQLDataNotPermittedError extends ExternalRoutineError {
    static readonly sqlstate: string;
}
/** SQLSTATE 39000, external_routine_invocation_exception. */
declare class ExternalRoutineInvocationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 39001, invalid_sqlstate_returned. */
declare class InvalidSqlstateReturnedError extends ExternalRoutineInvocationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 39004, null_value_not_allowed. */
declare class NullValueInExternalRoutineNotAllowedError extends ExternalRoutineInvocationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 39P01, trigger_protocol_violated. */
declare class TriggerProtocolViolatedError extends ExternalRoutineInvocationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 39P02, srf_protocol_violated. */
declare class SrfProtocolViolatedError extends ExternalRoutineInvocationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 39P03, event_trigger_protocol_violated. */
declare class EventTriggerProtocolViolatedError extends ExternalRoutineInvocationError {
    static readonly sqlstate: string;
}
/** SQLSTATE 3B000, savepoint_exception. */
declare class SavepointError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 3B001, invalid_savepoint_specification. */
declare class InvalidSavepointSpecificationError extends SavepointError {
    static readonly sqlstate: string;
}
/** SQLSTATE 3D000, undefined_database. */
declare class InvalidCatalogNameError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 3F000, undefined_schema. */
declare class InvalidSchemaNameError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 40000, transaction_rollback. */
declare class TransactionRollbackError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 40001, serialization_failure. */
declare class SerializationError extends TransactionRollbackError {
    static readonly sqlstate: string;
}
/** SQLSTATE 40002, transaction_integrity_constraint_violation. */
declare class TransactionIntegrityConstraintViolationError extends TransactionRollbackError {
    static readonly sqlstate: string;
}
/** SQLSTATE 40003, statement_completion_unknown. */
declare class StatementCompletionUnknownError extends TransactionRollbackError {
    static readonly sqlstate: string;
}
/** SQLSTATE 40P01, deadlock_detected. */
declare class DeadlockDetectedError extends TransactionRollbackError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42000, syntax_error_or_access_rule_violation. */
declare class SyntaxOrAccessError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42501, insufficient_privilege. */
declare class InsufficientPrivilegeError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42601, syntax_error. */
declare class PostgresSyntaxError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42602, invalid_name. */
declare class InvalidNameError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42611, invalid_column_definition. */
declare class InvalidColumnDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42622, name_too_long. */
declare class NameTooLongError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42701, duplicate_column. */
declare class DuplicateColumnError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42702, ambiguous_column. */
declare class AmbiguousColumnError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42703, undefined_column. */
declare class UndefinedColumnError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42704, undefined_object. */
declare class UndefinedObjectError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42710, duplicate_object. */
declare class DuplicateObjectError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42712, duplicate_alias. */
declare class DuplicateAliasError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42723, duplicate_function. */
declare class DuplicateFunctionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42725, ambiguous_function. */
declare class AmbiguousFunctionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42803, grouping_error. */
declare class GroupingError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42804, datatype_mismatch. */
declare class DatatypeMismatchError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42809, wrong_object_type. */
declare class WrongObjectTypeError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42830, invalid_foreign_key. */
declare class InvalidForeignKeyError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42846, cannot_coerce. */
declare class CannotCoerceError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42883, undefined_function. */
declare class UndefinedFunctionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 428C9, generated_always. */
declare class GeneratedAlwaysError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42939, reserved_name. */
declare class ReservedNameError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P01, undefined_table. */
declare class UndefinedTableError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P02, undefined_parameter. */
declare class UndefinedParameterError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P03, duplicate_cursor. */
declare class DuplicateCursorError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P04, duplicate_database. */
declare class DuplicateDatabaseError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P05, duplicate_prepared_statement. */
declare class DuplicatePreparedStatementError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P06, duplicate_schema. */
declare class DuplicateSchemaError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P07, duplicate_table. */
declare class DuplicateTableError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P08, ambiguous_parameter. */
declare class AmbiguousParameterError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P09, ambiguous_alias. */
declare class AmbiguousAliasError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P10, invalid_column_reference. */
declare class InvalidColumnReferenceError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P11, invalid_cursor_definition. */
declare class InvalidCursorDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P12, invalid_database_definition. */
declare class InvalidDatabaseDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P13, invalid_function_definition. */
declare class InvalidFunctionDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P14, invalid_prepared_statement_definition. */
declare class InvalidPreparedStatementDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P15, invalid_schema_definition. */
declare class InvalidSchemaDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P16, invalid_table_definition. */
declare class InvalidTableDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P17, invalid_object_definition. */
declare class InvalidObjectDefinitionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P18, indeterminate_datatype. */
declare class IndeterminateDatatypeError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P19, invalid_recursion. */
declare class InvalidRecursionError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P20, windowing_error. */
declare class WindowingError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P21, collation_mismatch. */
declare class CollationMismatchError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 42P22, indeterminate_collation. */
declare class IndeterminateCollationError extends SyntaxOrAccessError {
    static readonly sqlstate: string;
}
/** SQLSTATE 44000, with_check_option_violation. */
declare class WithCheckOptionViolationError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 53000, insufficient_resources. */
declare class InsufficientResourcesError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 53100, disk_full. */
declare class DiskFullError extends InsufficientResourcesError {
    static readonly sqlstate: string;
}
/** SQLSTATE 53200, out_of_memory. */
declare class OutOfMemoryError extends InsufficientResourcesError {
    static readonly sqlstate: string;
}
/** SQLSTATE 53300, too_many_connections. */
declare class TooManyConnectionsError extends InsufficientResourcesError {
    static readonly sqlstate: string;
}
/** SQLSTATE 53400, configuration_limit_exceeded. */
declare class ConfigurationLimitExceededError extends InsufficientResourcesError {
    static readonly sqlstate: string;
}
/** SQLSTATE 54000, program_limit_exceeded. */
declare class ProgramLimitExceededError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 54001, statement_too_complex. */
declare class StatementTooComplexError extends ProgramLimitExceededError {
    static readonly sqlstate: string;
}
/** SQLSTATE 54011, too_many_columns. */
declare class TooManyColumnsError extends ProgramLimitExceededError {
    static readonly sqlstate: string;
}
/** SQLSTATE 54023, too_many_arguments. */
declare class TooManyArgumentsError extends ProgramLimitExceededError {
    static readonly sqlstate: string;
}
/** SQLSTATE 55000, object_not_in_prerequisite_state. */
declare class ObjectNotInPrerequisiteStateError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 55006, object_in_use. */
declare class ObjectInUseError extends ObjectNotInPrerequisiteStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 55P02, cant_change_runtime_param. */
declare class CantChangeRuntimeParamError extends ObjectNotInPrerequisiteStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 55P03, lock_not_available. */
declare class LockNotAvailableError extends ObjectNotInPrerequisiteStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 55P04, unsafe_new_enum_value_usage. */
declare class UnsafeNewEnumValueUsageError extends ObjectNotInPrerequisiteStateError {
    static readonly sqlstate: string;
}
/** SQLSTATE 57000, operator_intervention. */
declare class OperatorInterventionError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 57014, query_canceled. */
declare class QueryCanceledError extends OperatorInterventionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 57P01, admin_shutdown. */
declare class AdminShutdownError extends OperatorInterventionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 57P02, crash_shutdown. */
declare class CrashShutdownError extends OperatorInterventionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 57P03, cannot_connect_now. */
declare class CannotConnectNowError extends OperatorInterventionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 57P04, database_dropped. */
declare class DatabaseDroppedError extends OperatorInterventionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 57P05, idle_session_timeout. */
declare class IdleSessionTimeoutError extends OperatorInterventionError {
    static readonly sqlstate: string;
}
/** SQLSTATE 58000, system_error. */
declare class PostgresSystemError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE 58030, io_error. */
declare class PostgresIOError extends PostgresSystemError {
    static readonly sqlstate: string;
}
/** SQLSTATE 58P01, undefined_file. */
declare class UndefinedFileError extends PostgresSystemError {
    static readonly sqlstate: string;
}
/** SQLSTATE 58P02, duplicate_file. */
declare class DuplicateFileError extends PostgresSystemError {
    static readonly sqlstate: string;
}
/** SQLSTATE 58P03, file_name_too_long. */
declare class FileNameTooLongError extends PostgresSystemError {
    static readonly sqlstate: string;
}
/** SQLSTATE 72000, snapshot_too_old. */
declare class SnapshotTooOldError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE F0000, config_file_error. */
declare class ConfigFileError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE F0001, lock_file_exists. */
declare class LockFileExistsError extends ConfigFileError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV000, fdw_error. */
declare class FDWError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV001, fdw_out_of_memory. */
declare class FDWOutOfMemoryError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV002, fdw_dynamic_parameter_value_needed. */
declare class FDWDynamicParameterValueNeededError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV004, fdw_invalid_data_type. */
declare class FDWInvalidDataTypeError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV005, fdw_column_name_not_found. */
declare class FDWColumnNameNotFoundError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV006, fdw_invalid_data_type_descriptors. */
declare class FDWInvalidDataTypeDescriptorsError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV007, fdw_invalid_column_name. */
declare class FDWInvalidColumnNameError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV008, fdw_invalid_column_number. */
declare class FDWInvalidColumnNumberError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV009, fdw_invalid_use_of_null_pointer. */
declare class FDWInvalidUseOfNullPointerError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00A, fdw_invalid_string_format. */
declare class FDWInvalidStringFormatError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00B, fdw_invalid_handle. */
declare class FDWInvalidHandleError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00C, fdw_invalid_option_index. */
declare class FDWInvalidOptionIndexError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00D, fdw_invalid_option_name. */
declare class FDWInvalidOptionNameError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00J, fdw_option_name_not_found. */
declare class FDWOptionNameNotFoundError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00K, fdw_reply_handle. */
declare class FDWReplyHandleError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00L, fdw_unable_to_create_execution. */
declare class FDWUnableToCreateExecutionError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00M, fdw_unable_to_create_reply. */
declare class FDWUnableToCreateReplyError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00N, fdw_unable_to_establish_connection. */
declare class FDWUnableToEstablishConnectionError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00P, fdw_no_schemas. */
declare class FDWNoSchemasError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00Q, fdw_schema_not_found. */
declare class FDWSchemaNotFoundError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV00R, fdw_table_not_found. */
declare class FDWTableNotFoundError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV010, fdw_function_sequence_error. */
declare class FDWFunctionSequenceError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV014, fdw_too_many_handles. */
declare class FDWTooManyHandlesError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV021, fdw_inconsistent_descriptor_information. */
declare class FDWInconsistentDescriptorInformationError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV024, fdw_invalid_attribute_value. */
declare class FDWInvalidAttributeValueError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV090, fdw_invalid_string_length_or_buffer_length. */
declare class FDWInvalidStringLengthOrBufferLengthError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE HV091, fdw_invalid_descriptor_field_identifier. */
declare class FDWInvalidDescriptorFieldIdentifierError extends FDWError {
    static readonly sqlstate: string;
}
/** SQLSTATE P0000, plpgsql_error. */
declare class PLPGSQLError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE P0001, raise_exception. */
declare class RaiseError extends PLPGSQLError {
    static readonly sqlstate: string;
}
/** SQLSTATE P0002, no_data_found. */
declare class NoDataFoundError extends PLPGSQLError {
    static readonly sqlstate: string;
}
/** SQLSTATE P0003, too_many_rows. */
declare class TooManyRowsError extends PLPGSQLError {
    static readonly sqlstate: string;
}
/** SQLSTATE P0004, assert_failure. */
declare class AssertError extends PLPGSQLError {
    static readonly sqlstate: string;
}
/** SQLSTATE XX000, internal_error. */
declare class InternalServerError extends PostgresError {
    static readonly sqlstate: string;
}
/** SQLSTATE XX001, data_corrupted. */
declare class DataCorruptedError extends InternalServerError {
    static readonly sqlstate: string;
}
/** SQLSTATE XX002, index_corrupted. */
declare class IndexCorruptedError extends InternalServerError {
    static readonly sqlstate: string;
}

/** The plan of a prepared statement no longer fits the tables; preparing it anew helps. */
declare class InvalidCachedStatementError extends FeatureNotSupportedError {
}

/** What an error of the driver can be given beside its message. */
interface ClientErrorFields {
    /** Whether the request certainly took no effect. */
    safeToRetry?: boolean | undefined;
    /** The error behind this one. */
    cause?: unknown;
}
declare abstract class ClientError extends Error {
    /** Whether the same request may well succeed when it is made again. */
    readonly isTransient: boolean;
    /** Whether the request certainly took no effect, so that making it again cannot do it twice. */
    readonly safeToRetry: boolean;
    /** Of opening a session with several hosts or addresses: what each of them came to, in the order of the attempts. */
    readonly errors: readonly Error[] | undefined;
    constructor(message: string, isTransient: boolean, safeToRetry: boolean, cause: unknown);
}
/** The API was misused, or something was asked of an object that can no longer do it. */
declare class InterfaceError extends ClientError {
    constructor(message: string, fields?: ClientErrorFields);
}
/** An option, the DSN, an environment variable or a configuration file is wrong. */
declare class ClientConfigurationError extends InterfaceError {
}
/** Something was asked for that this driver cannot do, or not with the options that it was given. */
declare class UnsupportedClientFeatureError extends InterfaceError {
}
/** The server cannot do what was asked for. */
declare class UnsupportedServerFeatureError extends InterfaceError {
}
/** The driver or the server broke the rules. */
declare class InternalClientError extends ClientError {
    constructor(message: string, fields?: ClientErrorFields);
}
/** The server sent what the protocol does not allow. */
declare class ProtocolError extends InternalClientError {
}
/** The driver's knowledge of the database's types is out of date. */
declare class OutdatedSchemaCacheError extends InternalClientError {
    /** What was known has been dropped: the next try looks it up. */
    readonly isTransient: boolean;
}
/** No server is what `targetSessionAttrs` asks for. */
declare class TargetServerAttributeNotMatched extends InternalClientError {
    /** A failover may be under way. */
    readonly isTransient: boolean;
}
/** A time limit passed: `timeoutMs`, `commandTimeoutMs`, `acquireTimeoutMs` or `connectTimeoutMs`. */
declare class TimeoutError extends ClientError {
    /** Of waiting for a connection of a pool: who has some, by a lease or as a hook, the longest first. */
    readonly holders: readonly PoolHolder[] | undefined;
    constructor(message: string, fields?: ClientErrorFields);
}

/** As much of Temporal as results need; TypeScript's ES2023 library does not know it. */
interface TemporalNamespace {
    readonly PlainDate: new (year: number, month: number, day: number) => unknown;
    readonly PlainTime: new (hour: number, minute: number, second: number, millisecond: number, microsecond: number) => unknown;
    readonly PlainDateTime: new (year: number, month: number, day: number, hour: number, minute: number, second: number, millisecond: number, microsecond: number) => unknown;
    readonly Instant: new (epochNanoseconds: bigint) => unknown;
    readonly Duration: new (years: number, months: number, weeks: number, days: number, hours: number, minutes: number, seconds: number, milliseconds: number, microseconds: number) => unknown;
}

/** What a row is: a plain object literal, a {@link Row}, or an array of values. */
type RowMode = 'object' | 'record' | 'array';
/** Turns the text of a value into what the application wants to have. */
type TextParser = (text: string) => unknown;
/** How values of some types are given to JavaScript; what is left out keeps the default. */
interface ResultMapping {
    /** Default `'number-or-bigint'`: a number while it is a safe integer, else a bigint. `'number'` may round. */
    int8?: 'number-or-bigint' | 'bigint' | 'number' | 'string' | undefined;
    /** Default `'string'`, exact. `'number'` may round; a function gets the text. */
    numeric?: 'string' | 'number' | TextParser | undefined;
    /**
     * json and jsonb. Default `'parse'` (`JSON.parse`); a function gets the text. With `'string'`, strings within arrays
     * and composite values that are parameters are JSON text too.
     */
    json?: 'parse' | 'string' | TextParser | undefined;
    /** Default `'string'`, lower case with hyphens. `'buffer'` is a Buffer of 16 bytes. */
    uuid?: 'string' | 'buffer' | undefined;
    /** Default `'string'`. `'date'` is UTC midnight; `'temporal'` a Temporal.PlainDate. */
    date?: 'string' | 'date' | 'temporal' | undefined;
    /** Default `'string'`. `'temporal'` is a Temporal.PlainTime. timetz is always a string: Temporal has no such type. */
    time?: 'string' | 'temporal' | undefined;
    /**
     * Default `'date'`, read as UTC; with `'local'` it is the clock of the process's time zone, in Dates that are
     * parameters as well. `'micros'` is a bigint of
     * microseconds since 1970, `'string'` PostgreSQL's ISO text, `'temporal'` a Temporal.PlainDateTime.
     */
    timestamp?: 'date' | 'string' | 'micros' | 'local' | 'temporal' | undefined;
    /** Default `'date'`. `'micros'` as above, `'string'` is in UTC, `'temporal'` a Temporal.Instant. */
    timestamptz?: 'date' | 'string' | 'micros' | 'temporal' | undefined;
    /**
     * Default `'interval'`: an {@link Interval}. `'string'` is ISO 8601, `'temporal'` a Temporal.Duration, which cannot
     * hold an interval of mixed signs.
     */
    interval?: 'interval' | 'string' | 'temporal' | undefined;
    /** bit and varbit. Default `'bitstring'`: a {@link BitString}. */
    bit?: 'bitstring' | 'string' | undefined;
    /** The Temporal that `'temporal'` means, such as a polyfill's. Default: the runtime's. */
    temporal?: TemporalNamespace | undefined;
}

/** A type of PostgreSQL. */
interface Type {
    readonly oid: number;
    /** As in `pg_type`, with `[]` behind it for an array. */
    readonly name: string;
    /** Base types and enums are scalars; domains are what their base types are. */
    readonly kind: 'scalar' | 'array' | 'composite' | 'range' | 'multirange';
    /** The schema that it is in. */
    readonly schema: string;
}
/** A column of a result. */
interface Attribute {
    readonly name: string;
    readonly type: Type;
    /** The table's OID, or 0 when the column is not one of a table. */
    readonly tableOid: number;
    /** The column's number in its table, or 0. */
    readonly attributeNumber: number;
    /** `pg_attribute.atttypmod`, such as the length of a varchar + 4; −1 for none. */
    readonly typeModifier: number;
}

/** Counters of a pool, as of the call. */
interface PoolStats {
    /** Connections that are open. */
    readonly size: number;
    readonly idle: number;
    readonly inUse: number;
    /** Calls that wait for a connection. */
    readonly waiting: number;
    /** Connections that are being opened. */
    readonly opening: number;
    /** Connections opened so far. */
    readonly opened: number;
    readonly closed: number;
    /** Calls that were given a connection so far. */
    readonly granted: number;
    /** Calls so far that got no connection in their time, whether that was `acquireTimeoutMs` or a limit of their own. */
    readonly timedOut: number;
    readonly minSize: number;
    readonly maxSize: number;
}

/** Where a session is, as it was configured. What is not known is undefined. */
interface ServerPlace {
    /** A name, an address, or the folder of a Unix socket: as it was named. */
    readonly host: string | undefined;
    readonly port: number | undefined;
    readonly database: string | undefined;
    readonly user: string | undefined;
}
/**
 * What a call sends: one statement (`fetch`, `execute` with parameters), a script of any number of them (`execute`
 * without), one statement for many rows of parameters (`executeMany`, `fetchMany`), the statements of `batch`, a statement to
 * be prepared, or what starts and ends a transaction or savepoint.
 */
type LoggedQueryKind = 'query' | 'script' | 'batch' | 'group' | 'prepare' | 'transaction';
/**
 * One query: what loggers are told, and the context object of the channel `oxpg:query`. What is only known at the end is
 * undefined before.
 */
declare class LoggedQuery {
    #private;
    readonly kind: LoggedQueryKind;
    /** The text, without the comment of `queryTags`. */
    readonly query: string;
    /** Milliseconds that it may take; 0 for no limit. */
    readonly timeoutMs: number;
    /** Whether it was made on a pool, which chooses a connection. */
    readonly isPooled: boolean;
    host: string | undefined;
    port: number | undefined;
    database: string | undefined;
    user: string | undefined;
    /** The process id of the server's backend; of a call on a pool once it has a connection. */
    serverPid: number | undefined;
    /** Milliseconds from the call to its end, the wait for a connection among them. */
    elapsedMs: number | undefined;
    /** The command tag, such as `INSERT 0 1`; empty where a call has taken the first row alone. */
    tag: string | undefined;
    /** Rows that the command tag counts; where there is none those that the call was given. */
    rowCount: number | undefined;
    /** What the call rejects with. Not there when it has gone well. */
    error?: unknown;
    /** The texts of a `batch`, in their order; undefined of all else. */
    readonly statements: readonly string[] | undefined;
    /**
     * The values of `$1`, `$2` …, for whoever asks: they may be secrets, so neither `util.inspect` nor `JSON.stringify` shows
     * them. Undefined where there are none, and of batches, whose rows are nobody's to keep.
     */
    get params(): readonly unknown[] | undefined;
    /** The first word of the text, in capitals: `SELECT`, `WITH`, `BEGIN`; empty when it begins with none. */
    get operation(): string;
}

/**
 * Is told of each query when it is over, before its caller is, in the caller's context of `AsyncLocalStorage`. What it throws
 * is an uncaught exception.
 */
type QueryLogger = (record: LoggedQuery) => unknown;

/**
 * What queries are tagged with, by key: a value that is always the same, or a function that is asked for each query and may
 * give none.
 */
type QueryTagValues = Readonly<Record<string, string | (() => string | undefined)>>;

/** What a codec's functions get and give: PostgreSQL's text, its bytes, or a tuple of parts. */
type CodecFormat = 'text' | 'binary' | 'tuple';

/** What is told of a session, as far as it is known. */
interface SessionTrace {
    host: string | undefined;
    port: number | undefined;
    database: string | undefined;
    user: string | undefined;
    /** The process id of the server's backend, once there is one. */
    serverPid: number | undefined;
    /** Milliseconds from the beginning to the end, once it has ended. */
    elapsedMs: number | undefined;
    /** What it has failed with. Not there when it has gone well. */
    error?: unknown;
}
/** The context object of the channel `oxpg:connect`: a session is opened. */
interface ConnectTrace extends SessionTrace {
    /**
     * Whether a pool opens it. A pool does so on its own: all of the channel's events come at once then, when it is open, and
     * `elapsedMs` says how long that has taken.
     */
    readonly isPooled: boolean;
}
/** The context object of the channel `oxpg:pool:acquire`: somebody wants a connection of a pool for himself. */
interface AcquireTrace extends SessionTrace {
    /** The method of the pool; `'query'` stands for one that makes a single query and needs a lease for that. */
    readonly call: 'acquire' | 'use' | 'transaction' | 'begin' | 'query';
    /** Milliseconds that it may take, hooks included; 0 for no limit. */
    readonly timeoutMs: number;
}
/** The message of the channel `oxpg:pool:release`: a lease of the application's is over. */
interface ReleaseMessage extends ServerPlace {
    readonly call: AcquireTrace['call'];
    readonly serverPid: number;
    /** Milliseconds for which it was held. */
    readonly heldMs: number;
}

/** Text in PEM. */
type Pem = string | Uint8Array;
/** TLS in the manner of `node:tls`. Nothing but what is said here is used: no files of libpq's are looked for. */
interface SslOptions {
    /** `sslmode` of libpq. Default `'verify-full'`, or `'require'` when `rejectUnauthorized` is false. */
    mode?: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full' | undefined;
    /** Certificates of the authorities that are trusted, in PEM. Default: Node's, `NODE_EXTRA_CA_CERTS` included. */
    ca?: Pem | readonly Pem[] | undefined;
    /** The client's certificate, and those between it and its authority's, in PEM. */
    cert?: Pem | undefined;
    /** The private key of `cert`, in PEM. */
    key?: Pem | undefined;
    /** The password of an encrypted `key`. */
    passphrase?: string | undefined;
    /** What the server is called in its certificate, and by SNI, where that is not the host. */
    servername?: string | undefined;
    /** False trusts any server, so that others can read and change everything. Default true. */
    rejectUnauthorized?: boolean | undefined;
    /** Default `'TLSv1.2'`. */
    minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
    /** Default `'TLSv1.3'`. */
    maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
    /** Certificate revocation lists, in PEM. With any, each certificate must have one of its issuer's. */
    crl?: Pem | readonly Pem[] | undefined;
}

/** Where a type is. */
interface TypeSchemaOptions {
    /** The type's schema. Default `'public'`; built-in types are in `'pg_catalog'`. */
    schema?: string | undefined;
}
/** A codec in PostgreSQL's text format: what the type's output function prints, and its input function reads. */
interface TextTypeCodec<T> extends TypeSchemaOptions {
    /** Default `'text'`. */
    format?: 'text' | undefined;
    encode: (value: T) => string;
    decode: (text: string) => T;
}
/** A codec in PostgreSQL's binary format: the bytes of the type's send and receive functions. */
interface BinaryTypeCodec<T> extends TypeSchemaOptions {
    format: 'binary';
    encode: (value: T) => ArrayBufferView;
    /** The buffer is the application's to keep. */
    decode: (bytes: Buffer) => T;
}
/**
 * A codec of parts: of a composite type the values of its attributes in order. Of types for time the numbers that
 * PostgreSQL keeps, exactly: `date` [days since 2000-01-01], `timestamp` and `timestamptz` [microseconds since
 * 2000-01-01, a bigint], `time` [microseconds], `timetz` [microseconds, seconds west of UTC], `interval` [months, days,
 * microseconds, a bigint]. The ends of int32 and int64 stand for -infinity and infinity.
 */
interface TupleTypeCodec<T> extends TypeSchemaOptions {
    format: 'tuple';
    encode: (value: T) => readonly unknown[];
    /** Gets an array. */
    decode: (parts: any) => T;
}
/** How values of one type come to be the application's, and go to PostgreSQL. NULL passes by both functions. */
type TypeCodecOptions<T = unknown> = TextTypeCodec<T> | BinaryTypeCodec<T> | TupleTypeCodec<T>;
/** Makes values of a type come and go like those of a type that the driver knows. */
interface BuiltinTypeCodecOptions extends TypeSchemaOptions {
    /** The name in `pg_type` of a built-in type, such as `'int4'`; or `'hstore'`, `'vector'`, `'halfvec'`, `'geometry'`. */
    codecName: string;
}
/** A codec with the name of its type, as the option `typeCodecs` has them. */
type NamedTypeCodec = {
    /** The type's name in `pg_type`. */
    typeName: string;
} & (TypeCodecOptions<any> | (BuiltinTypeCodecOptions & {
    format?: undefined;
}));

/** The password, or a function that gives it. */
type Password = string | (() => string | PromiseLike<string>);
/**
 * Where to connect, as whom, and how. Options win over the DSN, which wins over the environment (`PGHOST` …), as in
 * libpq. The result mapping and `rowMode` are the defaults of the calls made on the connection.
 *
 * @typeParam M The row mode of the connection, or of the pool's connections.
 */
interface ConnectOptions<M extends RowMode = 'object'> extends ResultMapping {
    /** A name, an address, or the folder of a Unix socket (`@name` for an abstract one); several are tried in order. */
    host?: string | readonly string[] | undefined;
    /**
     * IP addresses in place of looking the hosts' names up, one for each host; the names still count for TLS and the
     * password file.
     */
    hostaddr?: string | readonly string[] | undefined;
    /** One for all hosts, or one for each. Default 5432. */
    port?: number | readonly number[] | undefined;
    /** Default: the name of the system's user. */
    user?: string | undefined;
    /** A function is called for each new session. */
    password?: Password | undefined;
    /** Default: the user's name. */
    database?: string | undefined;
    /** The password file. Default `~/.pgpass`. */
    passfile?: string | undefined;
    /** A section of the service file, whose settings count for what neither the options nor the DSN say. */
    service?: string | undefined;
    /** The service file. Default `~/.pg_service.conf`, then `pg_service.conf` in the folder PGSYSCONFDIR. */
    servicefile?: string | undefined;
    /** What the server's statistics call the application. */
    applicationName?: string | undefined;
    /** Settings of the session, such as `{ search_path: 'app' }`. */
    serverSettings?: Readonly<Record<string, string>> | undefined;
    /**
     * `sslmode` of libpq; false is `'disable'`, true `'verify-full'` by Node's root certificates, and an object says more
     * in the manner of `node:tls`. Default `'prefer'`.
     */
    ssl?: boolean | 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full' | SslOptions | undefined;
    /** How TLS begins: `'direct'`, from PostgreSQL 17 on, saves a round trip. Default `'postgres'`. */
    sslNegotiation?: 'postgres' | 'direct' | undefined;
    /** Whether the password is bound to the TLS session (SCRAM-SHA-256-PLUS). Default `'prefer'`. */
    channelBinding?: 'disable' | 'prefer' | 'require' | undefined;
    /** Authentication methods that the server may ask for, as in libpq's `require_auth`. */
    requireAuth?: string | undefined;
    /**
     * The bearer token for servers that ask for one (`oauth` in pg_hba.conf, from PostgreSQL 18 on); sent only to a server
     * that `verify-full` has verified. A function is called for each new session.
     */
    oauthToken?: Password | undefined;
    /** The system's user whom the server must run as, where it is reached by a Unix socket. */
    requirePeer?: string | undefined;
    /** Which server will do; the next one is tried when one does not. Default `'any'`. */
    targetSessionAttrs?: 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby' | undefined;
    /** With `'random'` the hosts, and the addresses of each, are tried in random order. Default `'disable'`. */
    loadBalanceHosts?: 'disable' | 'random' | undefined;
    /** Milliseconds for all of connecting, name look-up and authentication included; 0 for no limit. Default 60 000. */
    connectTimeoutMs?: number | undefined;
    /** TCP keepalive, which finds servers that went away without a word. Default true. */
    keepalives?: boolean | undefined;
    /** Milliseconds of silence before the first probe, rounded up to seconds; 0, the default, for the system's. */
    keepalivesIdleMs?: number | undefined;
    /** Milliseconds between probes, rounded up to seconds; 0, the default, for the system's. */
    keepalivesIntervalMs?: number | undefined;
    /** Probes without an answer after which the connection counts as lost; 0, the default, for the system's. */
    keepalivesCount?: number | undefined;
    /**
     * Milliseconds for which what was sent may stay without acknowledgement, after which the connection counts as lost,
     * where the system has such a limit (Linux); 0, the default, for the system's.
     */
    tcpUserTimeoutMs?: number | undefined;
    /** The lowest version of the protocol that will do. Default `'3.0'`. */
    minProtocolVersion?: '3.0' | '3.2' | 'latest' | undefined;
    /** The version of the protocol that is asked for; a server may answer with a lower one. Default `'3.0'`. */
    maxProtocolVersion?: '3.0' | '3.2' | 'latest' | undefined;
    /** Milliseconds for each call that does not say otherwise; 0, the default, for no limit. */
    commandTimeoutMs?: number | undefined;
    /**
     * Bytes that the rows of one result may have, as they come from the server, where a call does not say otherwise; 0, the
     * default, for no limit. `stream` and `cursor` take results of any size.
     */
    maxResultBytes?: number | undefined;
    /**
     * Prepared statements that a connection keeps; 0 for none. Default 100. A number also says that a transaction pooler on
     * the way, if there is one, keeps named statements (PgBouncer from 1.21 on, with `max_prepared_statements`): one that
     * does not is found by the first errors then, and not before the first query.
     */
    statementCacheSize?: number | undefined;
    /**
     * How queries are sent. `'cache'`, the default, keeps prepared statements by name, and goes over to `'unnamed'` by
     * itself where a transaction pooler on the way does not keep them; `'unnamed'` has each query parsed anew from the
     * start, as with `statementCacheSize: 0`; `'simple'` uses PostgreSQL's simple query protocol alone, for poolers and
     * consoles that know no other: without parameters, `prepare`, `executeMany` and `fetchMany`.
     */
    statementMode?: 'cache' | 'unnamed' | 'simple' | undefined;
    /** What rows are. Default `'object'`. */
    rowMode?: M | undefined;
    /**
     * Codecs of the application's for types, as `setTypeCodec` and `setBuiltinTypeCodec` take them. Of a pool they hold for
     * all its connections. Their types are looked up when the connection, or the pool, is opened.
     */
    typeCodecs?: readonly NamedTypeCodec[] | undefined;
    /**
     * Tags behind the text of each query, in a comment in the format of sqlcommenter (`route='%2Fusers'`). A text with
     * those that are strings is prepared once, as without; with what a function gives (it is asked for each query) a query
     * is parsed anew each time, in two round trips, and no connection keeps it.
     */
    queryTags?: QueryTagValues | undefined;
    /** Aborts connecting. */
    signal?: AbortSignal | undefined;
}

/** What every Row has beside its columns. */
interface RowBase {
    /** The value at a position, counted from 0. A column that is named like an integer wins over the position. */
    readonly [position: number]: any;
    /** Iterates over the values by position, duplicate column names included. */
    [Symbol.iterator](): IterableIterator<any>;
}
/**
 * The statics of {@link Row}. All are positional, see columns of the same name, and take the plain objects of row mode
 * 'object' as well as the Rows of 'record'. Of a copy of a row they see what any object has.
 */
interface RowClass {
    readonly prototype: RowBase;
    /** The value at `position`, counted from 0; from the end when negative. Undefined outside the row. */
    at(row: object, position: number): any;
    /** The column names. */
    keys(row: object): string[];
    /** The values. */
    values(row: object): any[];
    /** Pairs of column name and value. */
    entries(row: object): [string, any][];
    /** A plain object of the columns; of columns with the same name it holds the last. */
    toObject<T extends object>(row: T): T extends Row<infer C> ? C : T;
    [Symbol.hasInstance](value: unknown): value is Row;
}
/**
 * A row in row mode 'record': own enumerable properties by column name, and the values by position besides. Such rows
 * are made by queries only.
 *
 * @typeParam T The columns and their types.
 */
type Row<T = {
    [column: string]: any;
}> = T & RowBase;
/** The class of rows, a type and a value at once. */
declare const Row: RowClass;

/**
 * A query, or a piece of one, made by {@link sql}: text with `$1` placeholders, and the values for them. Query methods
 * take it in place of a string, and other sql`…` templates as a part.
 */
declare class Sql {
    #private;
    /** The text, with `$1`, `$2` … where the values go. */
    get text(): string;
    /** The values, in the order of their placeholders. */
    get params(): readonly unknown[];
}
/** Columns and their values, for {@link SqlTag.set} and {@link SqlTag.values}: any object, by its own properties. */
type SqlColumns = object;
/** The function behind sql`…`, and those that make pieces for it. */
interface SqlTag {
    /**
     * A query whose values become parameters: they are never put into its text. A value that is itself a Sql becomes a
     * part of the query. Backslashes are PostgreSQL's, so that `'^\\w+$'` is what it says; only a backtick and `${` are
     * written with one before them.
     */
    (strings: TemplateStringsArray, ...values: unknown[]): Sql;
    /** A quoted name; several are a qualified one: `sql.identifier('public', 'users')` is `"public"."users"`. */
    identifier(...names: string[]): Sql;
    /** The items with a separator (default `, `) between them; those that are no Sql become parameters. */
    join(items: Iterable<unknown>, separator?: string | Sql): Sql;
    /** Text that goes into the query as it is. Whoever can choose the text can run any command. */
    raw(text: string): Sql;
    /** The list after UPDATE … SET: `"name" = $1, "age" = $2`. A value that is a Sql is taken as an expression. */
    set(columns: SqlColumns): Sql;
    /**
     * For INSERT INTO …: `("name", "age") VALUES ($1, $2), ($3, $4)` of an object or several, which have the same columns
     * unless those that are wanted are listed; `VALUES ($1, $2), ($3, $4)` of several arrays.
     */
    values(rows: SqlColumns | readonly SqlColumns[] | readonly (readonly unknown[])[], columns?: readonly string[]): Sql;
}
/**
 * The tag of queries with values in them: sql`select * from users where id = ${id}`. Values become parameters; names
 * and other parts are made by its functions.
 */
declare const sql: SqlTag;

/** A query with `$1` placeholders, or sql`…`, which brings its parameters along. */
type Query = string | Sql;
/** Values for `$1`, `$2` …; `undefined` is NULL, like null. */
type Parameters = readonly unknown[];
/** Rows of parameters, one an execution. */
type ParametersList = Iterable<Parameters> | AsyncIterable<Parameters>;
/** A statement of a batch: a query, or one with its parameters. */
type BatchStatement = Query | readonly [query: Query, params?: Parameters | undefined];
/** The rows of each statement of a batch, of which `T` says what is known: of those that it says nothing of, what a row is. */
type BatchRows<M extends RowMode, T extends readonly unknown[]> = {
    -readonly [K in keyof T]: RowOf<M, unknown extends T[K] ? UnknownRow<M> : T[K]>[];
};
/** As many statements as `T` has row types. */
type BatchStatements<T extends readonly unknown[]> = {
    readonly [K in keyof T]: BatchStatement;
};
/** Options of every call. */
interface CallOptions {
    /**
     * Milliseconds after which the call rejects with a TimeoutError and the query is cancelled; 0 for no limit. Default:
     * `commandTimeoutMs` of the connection or pool.
     */
    timeoutMs?: number | undefined;
    /** Aborts the call, which rejects with the signal's reason; the query is cancelled. */
    signal?: AbortSignal | undefined;
}
/**
 * Options of calls that give rows. What is left out is as the connection or pool has it.
 *
 * @typeParam M The row mode that it may name.
 */
interface FetchOptions<M extends RowMode = 'object'> extends CallOptions, ResultMapping {
    /** Default `'object'`: a plain object. `'record'` is a {@link Row}, `'array'` an array of the values. */
    rowMode?: M | undefined;
    /**
     * Bytes that the rows may have as they come from the server; 0 for no limit. A call whose result has more rejects with
     * an InterfaceError, and the query is cancelled. Default: `maxResultBytes` of the connection or pool.
     */
    maxResultBytes?: number | undefined;
}
/**
 * Options of `stream`. What is left out is as the connection or pool has it.
 *
 * @typeParam M The row mode that it may name.
 */
interface StreamOptions<M extends RowMode = 'object'> extends ResultMapping {
    /** As in {@link FetchOptions}. */
    rowMode?: M | undefined;
    /**
     * Milliseconds that each wait for more rows may take, the first with the waiting for a pool's connection, after which it
     * rejects with a TimeoutError and the query is cancelled; 0 for no limit. What the reader takes for itself does not
     * count. Default: `commandTimeoutMs` of the connection or pool.
     */
    timeoutMs?: number | undefined;
    /** Ends the stream, whose reader gets the signal's reason; the query is cancelled. */
    signal?: AbortSignal | undefined;
}
/**
 * Options of `cursor`. What is left out is as the connection or pool has it; `timeoutMs` and `maxResultBytes` are for each
 * step.
 *
 * @typeParam M The row mode that it may name.
 */
interface CursorOptions<M extends RowMode = 'object'> extends FetchOptions<M> {
    /** Rows that are fetched at a time where the cursor is iterated over. Default 50. */
    prefetch?: number | undefined;
}
/** Options of `fetchVal`. */
interface FetchValOptions extends CallOptions, ResultMapping {
    /** The column's position, counted from 0, or its name. Default 0. */
    column?: number | string | undefined;
    /** As in {@link FetchOptions}. */
    maxResultBytes?: number | undefined;
}
/** Asks for rows that are arrays. */
interface ArrayMode extends FetchOptions<'array'> {
    rowMode: 'array';
}
/** Asks for rows that are plain objects. */
interface ObjectMode extends FetchOptions {
    rowMode: 'object';
}
/** Asks for rows that are Rows. */
interface RecordMode extends FetchOptions<'record'> {
    rowMode: 'record';
}
/** Rows of a row mode, of which `T` says what is known: a {@link Row} of these columns in 'record', else `T` itself. */
type RowOf<M extends RowMode, T> = M extends 'record' ? Row<T> : T;
/** What can be said of rows of a row mode: in 'array' the values in order, else the columns by name. */
type RowTypes<M extends RowMode> = M extends 'array' ? readonly unknown[] : unknown;
/** Rows of a row mode of which nothing is said. */
type UnknownRow<M extends RowMode> = M extends 'array' ? unknown[] : Record<string, unknown>;

/** What queries are sent through. */
interface QueryHost {
}

/** A message of NOTIFY that has arrived (manual, "NOTIFY"). */
interface Notification {
    readonly isGap: false;
    readonly channel: string;
    /** Empty where NOTIFY gave none. */
    readonly payload: string;
    /** The process id of the server's backend that sent it. */
    readonly pid: number;
}
/**
 * A pool's listener has lost its connection and listens again on a new one: messages of the time between are lost, as
 * PostgreSQL keeps none for who is not there. What depends on them has to be looked up anew.
 */
interface NotificationGap {
    readonly isGap: true;
    readonly channel: string;
    readonly payload: undefined;
    /** Why the connection was lost. */
    readonly error: Error;
}
/**
 * Hears of the messages of a channel, in the context of `AsyncLocalStorage` that it was given in. What it throws is an
 * uncaught exception, and keeps others from nothing; nobody waits for what it returns.
 *
 * @typeParam M The row mode of the connection.
 */
type NotificationHandler<M extends RowMode = 'object'> = (payload: string, notification: Notification, connection: Connection<M>) => unknown;
/** The same of a pool, whose listener's connection is its own. */
type PoolNotificationHandler = (payload: string, notification: Notification) => unknown;

/** Options of `listen` with a handler. */
interface ListenCallOptions extends CallOptions {
}
/** Options of `listen` without a handler. */
interface ListenOptions extends CallOptions {
    /**
     * The most messages that wait to be taken by an iteration; with one more the subscription ends. Default 10 000.
     */
    maxQueued?: number | undefined;
}
/** Options of a pool's `listen` with a handler. */
interface PoolListenOptions extends CallOptions {
    /**
     * Called when messages may have been missed: the connection was lost, and a new one listens. Without it a warning of the
     * process says so (`OXPG_LISTEN_GAP`). What it throws is an uncaught exception.
     */
    onGap?: ((gap: NotificationGap) => unknown) | undefined;
}

/** The version of a server, as asyncpg has it. */
interface ServerVersion {
    readonly major: number;
    /** 0 since PostgreSQL 10, whose 10.1 is the first correction of 10 and stands for 10.0.1. */
    readonly minor: number;
    /** The number of the correction: 4 of 18.4. */
    readonly micro: number;
    readonly releaseLevel: 'alpha' | 'beta' | 'candidate' | 'final';
    /** The number behind `beta` or `rc`, else 0. */
    readonly serial: number;
}

/**
 * A query whose rows are fetched in parts, inside a transaction: what `cursor` gives. Either iterate over it, or
 * {@link CursorFactory.open open} it; once. Other queries of the transaction, and other cursors, may be used in between.
 *
 * @typeParam R A row.
 */
declare class CursorFactory<R> implements AsyncIterable<R, undefined, undefined> {
    #private;
    /**
     * The rows, `prefetch` of which are fetched at a time. Leaving the loop closes the cursor.
     *
     * @throws InterfaceError when it is used already. The iteration throws NoActiveSQLTransactionError where no transaction is
     * open.
     */
    [Symbol.asyncIterator](): AsyncIterableIterator<R, undefined, undefined>;
    /**
     * Opens it, to be fetched from step by step. Nothing is executed yet.
     *
     * @throws InterfaceError when it is used already.
     * @throws NoActiveSQLTransactionError where no transaction is open.
     */
    open(): Promise<Cursor<R>>;
}
/**
 * An open cursor. It lives as long as its transaction. Steps that do not wait for each other are made in their order.
 *
 * @typeParam R A row.
 */
declare class Cursor<R> implements AsyncDisposable {
    #private;
    /**
     * The next rows, `count` at most; none at the end.
     *
     * @throws InterfaceError when it is closed, or its transaction has ended.
     */
    fetch(count: number): Promise<R[]>;
    /** The next row, or null at the end. Errors as of `fetch`. */
    fetchRow(): Promise<R | null>;
    /**
     * Goes past the next rows, `count` at most. Errors as of `fetch`.
     *
     * @returns How many rows there were.
     */
    forward(count: number): Promise<number>;
    /** Closes it, once the steps before have ended. Closing again does nothing. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}

/**
 * All that the server says of a query: what `run` gives.
 *
 * @typeParam R A row.
 */
interface QueryResult<R> {
    /** The rows; none of a query that gives none. */
    rows: R[];
    /** What the server did, without its counts: `SELECT`, `INSERT`, `CREATE TABLE`; empty for an empty query. */
    command: string;
    /** Rows that were affected: inserted, updated, deleted, merged or selected. 0 for commands that count none. */
    rowCount: number;
    /** The columns of the result; none of a query that gives no rows. */
    fields: readonly Attribute[];
}

/**
 * The rows of a query, read no faster than they are wanted, in bounded memory: what `stream` gives. It is read once, by
 * `for await`, `Readable.from`, `ReadableStream.from` or `pipeline`. The query is sent when the first row is asked for, and
 * cancelled when the reading ends before its end.
 *
 * @typeParam R A row.
 */
declare class RowStream<R> implements AsyncIterable<R, undefined, undefined>, AsyncDisposable {
    #private;
    /**
     * The rows, one by one.
     *
     * @throws InterfaceError when it is read already.
     */
    [Symbol.asyncIterator](): AsyncIterableIterator<R, undefined, undefined>;
    /**
     * The rows in the parts in which they come, for readers that take many at once: at least one row each, otherwise as many as
     * it happens to be.
     *
     * @throws InterfaceError when it is read already.
     */
    batches(): AsyncIterableIterator<R[], undefined, undefined>;
    /** Ends it, whoever reads it; what runs for it is cancelled. */
    [Symbol.asyncDispose](): Promise<void>;
}

/** Options of `explain`. */
interface ExplainOptions extends CallOptions {
    /** Executes the query as well, in a transaction (or savepoint) that is rolled back. Default false. */
    analyze?: boolean | undefined;
}
/**
 * A query that the server has parsed. It lives as long as the connection or pool it was made on. While it is in use, each
 * connection that has prepared it keeps it prepared, besides the `statementCacheSize` others; where the server's side of
 * it is lost, it is made again.
 *
 * @typeParam M The row mode of calls that name none.
 */
declare class PreparedStatement<M extends RowMode = 'object'> {
    #private;
    /** The query's text. */
    readonly query: string;
    /** The types of `$1`, `$2` …, as the server described them last. */
    get parameters(): readonly Type[];
    /** The columns of the result, as the server described them last; none when the query gives no rows. */
    get attributes(): readonly Attribute[];
    /** The command tag of the last execution, such as `SELECT 3`; null before the first, empty when it was cut short. */
    get statusMessage(): string | null;
    /** Executes the statement and gives the command tag. */
    execute(params?: Parameters, options?: CallOptions): Promise<string>;
    /** All rows. */
    fetch<T extends readonly unknown[] = unknown[]>(params: Parameters | undefined, options: ArrayMode): Promise<T[]>;
    fetch<T = Record<string, unknown>>(params: Parameters | undefined, options: ObjectMode): Promise<T[]>;
    fetch<T = Record<string, unknown>>(params: Parameters | undefined, options: RecordMode): Promise<Row<T>[]>;
    fetch<T extends RowTypes<M> = UnknownRow<M>>(params?: Parameters, options?: FetchOptions<M>): Promise<RowOf<M, T>[]>;
    /** The first row, or null when there is none. */
    fetchRow<T extends readonly unknown[] = unknown[]>(params: Parameters | undefined, options: ArrayMode): Promise<T | null>;
    fetchRow<T = Record<string, unknown>>(params: Parameters | undefined, options: ObjectMode): Promise<T | null>;
    fetchRow<T = Record<string, unknown>>(params: Parameters | undefined, options: RecordMode): Promise<Row<T> | null>;
    fetchRow<T extends RowTypes<M> = UnknownRow<M>>(params?: Parameters, options?: FetchOptions<M>): Promise<RowOf<M, T> | null>;
    /** One value of the first row, or null when there is no row. */
    fetchVal<T = unknown>(params?: Parameters, options?: FetchValOptions): Promise<T | null>;
    /** All rows, with the command, the number of rows affected and the columns. */
    run<T extends readonly unknown[] = unknown[]>(params: Parameters | undefined, options: ArrayMode): Promise<QueryResult<T>>;
    run<T = Record<string, unknown>>(params: Parameters | undefined, options: ObjectMode): Promise<QueryResult<T>>;
    run<T = Record<string, unknown>>(params: Parameters | undefined, options: RecordMode): Promise<QueryResult<Row<T>>>;
    run<T extends RowTypes<M> = UnknownRow<M>>(params?: Parameters, options?: FetchOptions<M>): Promise<QueryResult<RowOf<M, T>>>;
    /** Executes the statement once for each row of parameters, all or nothing, and gives the rows of all executions. */
    fetchMany<T extends readonly unknown[] = unknown[]>(paramsList: ParametersList, options: ArrayMode): Promise<T[]>;
    fetchMany<T = Record<string, unknown>>(paramsList: ParametersList, options: ObjectMode): Promise<T[]>;
    fetchMany<T = Record<string, unknown>>(paramsList: ParametersList, options: RecordMode): Promise<Row<T>[]>;
    fetchMany<T extends RowTypes<M> = UnknownRow<M>>(paramsList: ParametersList, options?: FetchOptions<M>): Promise<RowOf<M, T>[]>;
    /** Executes the statement once for each row of parameters, all or nothing, and gives the number of rows affected. */
    executeMany(paramsList: ParametersList, options?: CallOptions): Promise<number>;
    /** The rows, fetched in parts, in a transaction: see `cursor` of connections and transactions. */
    cursor<T extends readonly unknown[] = unknown[]>(params: Parameters | undefined, options: ArrayMode & CursorOptions<'array'>): CursorFactory<T>;
    cursor<T = Record<string, unknown>>(params: Parameters | undefined, options: ObjectMode & CursorOptions): CursorFactory<T>;
    cursor<T = Record<string, unknown>>(params: Parameters | undefined, options: RecordMode & CursorOptions<'record'>): CursorFactory<Row<T>>;
    cursor<T extends RowTypes<M> = UnknownRow<M>>(params?: Parameters, options?: CursorOptions<M>): CursorFactory<RowOf<M, T>>;
    /** The rows, read no faster than they are wanted: see `stream` of connections, pools and transactions. */
    stream<T extends readonly unknown[] = unknown[]>(params: Parameters | undefined, options: ArrayMode & StreamOptions<'array'>): RowStream<T>;
    stream<T = Record<string, unknown>>(params: Parameters | undefined, options: ObjectMode & StreamOptions): RowStream<T>;
    stream<T = Record<string, unknown>>(params: Parameters | undefined, options: RecordMode & StreamOptions<'record'>): RowStream<Row<T>>;
    stream<T extends RowTypes<M> = UnknownRow<M>>(params?: Parameters, options?: StreamOptions<M>): RowStream<RowOf<M, T>>;
    /** The plan of the query, as `EXPLAIN (FORMAT JSON, VERBOSE)` gives it. */
    explain(params: Parameters | undefined, options?: ExplainOptions): Promise<unknown[]>;
    explain(options?: ExplainOptions): Promise<unknown[]>;
}

/** The connection that a transaction is on. */
interface TransactionHost {
}

/** PostgreSQL manual, "Transaction Isolation". The words may be joined by underscores, as in asyncpg, or spaces. */
type IsolationLevel = 'read_uncommitted' | 'read uncommitted' | 'read_committed' | 'read committed' | 'repeatable_read' | 'repeatable read' | 'serializable';
/** How a transaction is started. What is left out is as the server has it (`default_transaction_isolation` …). */
interface TransactionOptions {
    /** Inside a transaction it has to be the one of the outermost. */
    isolation?: IsolationLevel | undefined;
    /** Refuses writes to tables. */
    readOnly?: boolean | undefined;
    /** With `serializable` and `readOnly`: waits at the start for a snapshot that can no longer fail. */
    deferrable?: boolean | undefined;
    /**
     * How many more times the callback may be called when PostgreSQL refuses the transaction with a serialization failure
     * or a deadlock (40001, 40P01). Default 0. Inside a transaction it has no effect: the outermost is repeated.
     */
    retry?: number | undefined;
    /**
     * Milliseconds for all of it: for getting a connection of the pool, waiting for its turn, BEGIN, what is done in it, all
     * repetitions, and COMMIT; 0 for no limit. When they are over the transaction is rolled back, what runs in it is
     * cancelled, and it rejects with a TimeoutError, whether or not its callback has ended; but a COMMIT that has been sent is
     * a TransactionResolutionUnknownError. Default: no limit for all of it; to start, `acquireTimeoutMs` of the pool for its
     * connection and `commandTimeoutMs` for the rest.
     */
    timeoutMs?: number | undefined;
    /** Ends it in the same way when it fires: it rejects with the signal's reason. */
    signal?: AbortSignal | undefined;
}
/** What is done in a transaction. */
type TransactionCallback<R, M extends RowMode = 'object'> = (transaction: Transaction<M>) => R | PromiseLike<R>;

/**
 * A transaction, or inside one a savepoint. Queries made on it are made on its connection, while it is open.
 *
 * @typeParam M The row mode of calls that name none.
 */
declare class Transaction<M extends RowMode = 'object'> extends SessionMethods<M> {
    #private;
    /**
     * Starts it: `BEGIN`, or inside an open transaction of the connection a savepoint. While the callback of another
     * transaction is being run on the connection, it waits for the end of that one, unless it is started inside the
     * callback.
     *
     * @throws InterfaceError when it has been started before, or when a transaction was begun by a query.
     * @throws TimeoutError when it has not started in time.
     */
    start(): Promise<void>;
    /**
     * Commits it, or releases the savepoint.
     *
     * @throws InFailedSQLTransactionError when a statement in it had failed, so that PostgreSQL rolled it back.
     * @throws InterfaceError while an executeMany or fetchMany takes rows of an asynchronous iterable.
     * @throws TransactionResolutionUnknownError when the server has not answered within `commandTimeoutMs` or the time of the
     * transaction, its signal has fired, or the connection was lost. The command is not taken back: the transaction ends, but
     * how is not known.
     * @throws TimeoutError, or the signal's reason, when its limit had ended it before.
     */
    commit(): Promise<void>;
    /**
     * Ends it by the first half of a two-phase commit: what it did is kept on disk and its locks are held, with no connection,
     * until `commitPrepared` or `rollbackPrepared` (manual, "PREPARE TRANSACTION"; the server needs `max_prepared_transactions`).
     * In a callback nothing more can be done in it then, and returning commits nothing. If it fails, the transaction is rolled back.
     *
     * @param gid Its identifier in all databases of the server, of up to 199 bytes.
     * @throws InterfaceError in a savepoint, while one is open, and when the identifier is none; the transaction stays open.
     * @throws InFailedSQLTransactionError when a statement in it had failed, so that PostgreSQL rolled it back.
     * @throws TransactionResolutionUnknownError when the server has not answered, as of `commit`: whether it is prepared is not
     * known, and `pg_prepared_xacts` tells.
     */
    prepareTransaction(gid: string): Promise<void>;
    /**
     * Rolls it back, or rolls back to the savepoint. An executeMany or fetchMany whose asynchronous iterable is not at its
     * end is taken back. One that its limit has ended is waited for.
     *
     * @throws TimeoutError when the server has not answered within `commandTimeoutMs` or the time of the transaction. It rolls
     * back all the same.
     */
    rollback(): Promise<void>;
    /** A single statement can go out with what opens the transaction, as a script cannot. */
    execute(query: Query, params?: Parameters, options?: CallOptions): Promise<string>;
    /** A savepoint to be started by hand. */
    transaction(options?: TransactionOptions): Transaction<M>;
    /** A savepoint: keeps what `callback` does, or rolls it back if it throws. */
    transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>;
    /** A savepoint that has been started. */
    begin(options?: TransactionOptions): Promise<Transaction<M>>;
    /** Rolls it back if it is still open. */
    [Symbol.asyncDispose](): Promise<void>;
    [inspect.custom](): string;
}

/**
 * What queries can be made on: a connection, a pool, a transaction. Calls made on one connection without awaiting them
 * run as a pipeline, in order.
 *
 * @typeParam M The row mode of calls that name none.
 */
interface Queryable<M extends RowMode = 'object'> {
    /**
     * Executes a query, or without `params` a script of any number of them.
     *
     * @returns The command tag, such as `INSERT 0 1`; of a script the last one.
     */
    execute(query: Query, params?: Parameters, options?: CallOptions): Promise<string>;
    /** All rows of a query. */
    fetch<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode): Promise<T[]>;
    fetch<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode): Promise<T[]>;
    fetch<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode): Promise<Row<T>[]>;
    fetch<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: FetchOptions<M>): Promise<RowOf<M, T>[]>;
    /** The first row of a query, or null when there is none. The server makes no more than that row. */
    fetchRow<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode): Promise<T | null>;
    fetchRow<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode): Promise<T | null>;
    fetchRow<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode): Promise<Row<T> | null>;
    fetchRow<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: FetchOptions<M>): Promise<RowOf<M, T> | null>;
    /**
     * All that the server says of a query: its rows, the command, the number of rows affected, and the columns.
     *
     * @returns `{ rows, command, rowCount, fields }`
     */
    run<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode): Promise<QueryResult<T>>;
    run<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode): Promise<QueryResult<T>>;
    run<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode): Promise<QueryResult<Row<T>>>;
    run<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: FetchOptions<M>): Promise<QueryResult<RowOf<M, T>>>;
    /** One value of the first row, or null when there is no row. */
    fetchVal<T = unknown>(query: Query, params?: Parameters, options?: FetchValOptions): Promise<T | null>;
    /** Executes a query once for each row of parameters, all or nothing, and gives the rows of all executions. */
    fetchMany<T extends readonly unknown[] = unknown[]>(query: Query, paramsList: ParametersList, options: ArrayMode): Promise<T[]>;
    fetchMany<T = Record<string, unknown>>(query: Query, paramsList: ParametersList, options: ObjectMode): Promise<T[]>;
    fetchMany<T = Record<string, unknown>>(query: Query, paramsList: ParametersList, options: RecordMode): Promise<Row<T>[]>;
    fetchMany<T extends RowTypes<M> = UnknownRow<M>>(query: Query, paramsList: ParametersList, options?: FetchOptions<M>): Promise<RowOf<M, T>[]>;
    /**
     * Executes a query once for each row of parameters, all or nothing. The rows are sent while they are made, and an
     * iterable is not asked for more than the connection takes.
     *
     * @returns The number of rows affected.
     */
    executeMany(query: Query, paramsList: ParametersList, options?: CallOptions): Promise<number>;
    /**
     * The rows of a query, read no faster than they are wanted, in bounded memory. Outside of a transaction it has its
     * connection for itself from its first row to its end: other calls on the connection are refused meanwhile, and a pool
     * leases it one. Inside a transaction the rows are fetched in parts, and other calls can be made in between.
     *
     * @throws InterfaceError, from the first row on also while another stream is open on the connection.
     */
    stream<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode & StreamOptions<'array'>): RowStream<T>;
    stream<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode & StreamOptions): RowStream<T>;
    stream<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode & StreamOptions<'record'>): RowStream<Row<T>>;
    stream<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: StreamOptions<M>): RowStream<RowOf<M, T>>;
    /**
     * Executes statements in order, atomically, in one round trip once the connection knows them: either all of them take effect
     * or, since the first that fails ends the batch, none. Inside a transaction they are a part of it.
     *
     * Statements other than SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE, WITH, SHOW and EXPLAIN, and those that need
     * what one before them has made, are executed in a transaction around them, which takes two more round trips.
     *
     * @param statements Each a query, or `[query, params]`.
     * @returns The rows of each, none for a statement without a result.
     * @throws InterfaceError when one is BEGIN, COMMIT or the like, or a COPY; nothing is sent then.
     * @throws What the server says of the first that fails, with its position as `statement`.
     */
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options: ArrayMode): Promise<BatchRows<'array', T>>;
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options: ObjectMode): Promise<BatchRows<'object', T>>;
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options: RecordMode): Promise<BatchRows<'record', T>>;
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options?: FetchOptions<M>): Promise<BatchRows<M, T>>;
    /** Prepares a query, to be executed any number of times. */
    prepare(query: Query, options?: CallOptions): Promise<PreparedStatement<M>>;
    /**
     * Commits what `callback` does, or rolls it back if it throws. Inside a transaction it is a savepoint.
     *
     * @returns What `callback` returns.
     */
    transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>;
    /** A transaction that has been started. Disposing of it rolls it back unless it was committed. */
    begin(options?: TransactionOptions): Promise<Transaction<M>>;
}

/**
 * The query methods of connections, pools and transactions. Each is one `async` function, which makes its error after
 * its `await`: so the stack shows the caller, and calls that succeed pay for no stack.
 */
declare abstract class QueryMethods<M extends RowMode = 'object'> implements Queryable<M>, QueryHost {
    abstract transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>;
    abstract begin(options?: TransactionOptions): Promise<Transaction<M>>;
    execute(query: Query, params?: Parameters, options?: CallOptions): Promise<string>;
    fetch<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode): Promise<T[]>;
    fetch<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode): Promise<T[]>;
    fetch<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode): Promise<Row<T>[]>;
    fetch<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: FetchOptions<M>): Promise<RowOf<M, T>[]>;
    fetchRow<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode): Promise<T | null>;
    fetchRow<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode): Promise<T | null>;
    fetchRow<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode): Promise<Row<T> | null>;
    fetchRow<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: FetchOptions<M>): Promise<RowOf<M, T> | null>;
    run<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode): Promise<QueryResult<T>>;
    run<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode): Promise<QueryResult<T>>;
    run<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode): Promise<QueryResult<Row<T>>>;
    run<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: FetchOptions<M>): Promise<QueryResult<RowOf<M, T>>>;
    fetchVal<T = unknown>(query: Query, params?: Parameters, options?: FetchValOptions): Promise<T | null>;
    fetchMany<T extends readonly unknown[] = unknown[]>(query: Query, paramsList: ParametersList, options: ArrayMode): Promise<T[]>;
    fetchMany<T = Record<string, unknown>>(query: Query, paramsList: ParametersList, options: ObjectMode): Promise<T[]>;
    fetchMany<T = Record<string, unknown>>(query: Query, paramsList: ParametersList, options: RecordMode): Promise<Row<T>[]>;
    fetchMany<T extends RowTypes<M> = UnknownRow<M>>(query: Query, paramsList: ParametersList, options?: FetchOptions<M>): Promise<RowOf<M, T>[]>;
    executeMany(query: Query, paramsList: ParametersList, options?: CallOptions): Promise<number>;
    /**
     * Sends a message to all who listen to a channel; in a transaction, when that commits (manual, "NOTIFY"). The name is taken
     * as it is, upper case and all.
     *
     * @param payload Shorter than 8 000 bytes.
     * @throws InterfaceError when the name of the channel is none.
     */
    notify(channel: string, payload?: string, options?: CallOptions): Promise<void>;
    stream<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode & StreamOptions<'array'>): RowStream<T>;
    stream<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode & StreamOptions): RowStream<T>;
    stream<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode & StreamOptions<'record'>): RowStream<Row<T>>;
    stream<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: StreamOptions<M>): RowStream<RowOf<M, T>>;
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options: ArrayMode): Promise<BatchRows<'array', T>>;
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options: ObjectMode): Promise<BatchRows<'object', T>>;
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options: RecordMode): Promise<BatchRows<'record', T>>;
    batch<T extends readonly unknown[] | []>(statements: BatchStatements<T>, options?: FetchOptions<M>): Promise<BatchRows<M, T>>;
    prepare(query: Query, options?: CallOptions): Promise<PreparedStatement<M>>;
}

/** The query methods of what has a session: connections and transactions. */
declare abstract class SessionMethods<M extends RowMode = 'object'> extends QueryMethods<M> {
    /**
     * A query whose rows are fetched in parts, in a transaction, as PostgreSQL demands. Nothing is sent yet: iterate over it,
     * or `open` it.
     */
    cursor<T extends readonly unknown[] = unknown[]>(query: Query, params: Parameters | undefined, options: ArrayMode & CursorOptions<'array'>): CursorFactory<T>;
    cursor<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: ObjectMode & CursorOptions): CursorFactory<T>;
    cursor<T = Record<string, unknown>>(query: Query, params: Parameters | undefined, options: RecordMode & CursorOptions<'record'>): CursorFactory<Row<T>>;
    cursor<T extends RowTypes<M> = UnknownRow<M>>(query: Query, params?: Parameters, options?: CursorOptions<M>): CursorFactory<RowOf<M, T>>;
}

/**
 * What `listen` gives: one handler of a channel or, without a handler, the channel's messages to be iterated over. Until it
 * ends it keeps the process alive.
 *
 * An iteration ends when the application ends the subscription (by `unlisten`, by leaving the loop, or with the connection or
 * pool), and throws what has ended it otherwise. Iterations of one subscription share its messages: each gets a message that no
 * other gets.
 *
 * @typeParam T What an iteration gives.
 */
declare class Subscription<T = Notification> implements AsyncIterable<T> {
    #private;
    readonly channel: string;
    /** Whether it has ended, however that was. */
    get isClosed(): boolean;
    /**
     * Ends it: from here on its handler is not called, and iterations are at their end. Resolves when the server has been told,
     * if it was the last one of its channel. Ending it again does nothing.
     */
    unlisten(): Promise<void>;
    /** Keeps the process alive until it ends, as is the default. */
    ref(): this;
    /** Does not keep the process alive. */
    unref(): this;
    [Symbol.asyncDispose](): Promise<void>;
    /**
     * The messages from the moment of `listen` on. What is not taken is kept, up to `maxQueued` of them; then the subscription
     * ends, and the iteration throws an InterfaceError after those that were kept. Leaving the loop ends the subscription.
     *
     * @throws InterfaceError when the subscription has a handler.
     */
    [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined>;
    [inspect.custom](): string;
}

/** Options of `close`. */
interface CloseOptions {
    /**
     * Milliseconds that it may take; 0, the default, for no limit. Then what still runs is ended at once, and `close`
     * rejects with a TimeoutError.
     */
    timeoutMs?: number | undefined;
}
/** Options of `reset`. */
interface ResetOptions {
    /** Milliseconds; 0 for no limit. Default: `commandTimeoutMs`. */
    timeoutMs?: number | undefined;
}
/** What a connection is made of. Only the driver can make one: see `connect`, and `acquire` of pools. */
interface ConnectionParts {
}
/**
 * A session with a PostgreSQL server.
 *
 * @typeParam M The row mode of calls that name none.
 */
declare class Connection<M extends RowMode = 'object'> extends SessionMethods<M> implements TransactionHost {
    #private;
    protected constructor(parts: ConnectionParts);
    /** The process id of the server's backend. */
    get serverPid(): number;
    /** The server's version. */
    get serverVersion(): ServerVersion;
    /** The settings that the server reports by itself, as they are now (manual, "Asynchronous Operations"). */
    get settings(): Readonly<Record<string, string>>;
    /** Whether the session has ended, or was told to end at once. */
    get isClosed(): boolean;
    /**
     * Whether a transaction is open, as of the last answer of the server. One that was started by `transaction()` or `begin()` is
     * open from then on, though its BEGIN goes out with its first query.
     */
    get isInTransaction(): boolean;
    /** A transaction to be started by hand; inside an open one it becomes a savepoint. */
    transaction(options?: TransactionOptions): Transaction<M>;
    /** Commits what `callback` does, or rolls it back if it throws; inside a transaction it is a savepoint. */
    transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>;
    begin(options?: TransactionOptions): Promise<Transaction<M>>;
    /**
     * Commits a transaction that `prepareTransaction` has left, on this connection or any other, or before a crash of the server
     * (manual, "COMMIT PREPARED"). Only its owner and superusers may, in the same database, outside of a transaction.
     *
     * @throws UndefinedObjectError when there is none of this name: it has been committed or rolled back already.
     * @throws TransactionResolutionUnknownError when the connection was lost meanwhile.
     */
    commitPrepared(gid: string, options?: CallOptions): Promise<void>;
    /**
     * Rolls such a transaction back (manual, "ROLLBACK PREPARED").
     *
     * @throws UndefinedObjectError when there is none of this name.
     */
    rollbackPrepared(gid: string, options?: CallOptions): Promise<void>;
    /**
     * Calls `listener` with each notice and warning that the server sends. What it said at the startup (a login trigger,
     * PostgreSQL 19 of MD5 passwords) is told to the first that listens, soon after.
     *
     * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
     * @returns A function that ends it.
     */
    onNotice(listener: (message: PostgresLogMessage, connection: Connection<M>) => void): () => void;
    /**
     * Calls `listener` when the session has ended, however it ended.
     *
     * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
     * @returns A function that ends it.
     */
    onTermination(listener: (connection: Connection<M>) => void): () => void;
    /**
     * Listens to a channel, until the subscription ends: by its `unlisten`, with the connection, by a `reset` or a release to a
     * pool, or by an UNLISTEN of the application's. The name is taken as it is, upper case and all, while in a query
     * `NOTIFY Jobs` means the channel `jobs`. Many may listen to one channel.
     *
     * @param handler Called with each message, in the context of `AsyncLocalStorage` of this call. Without one the subscription is
     * an iterable of messages.
     * @throws InterfaceError in a transaction, whose rollback would undo it, and when the name is none.
     * @throws TimeoutError
     */
    listen(channel: string, handler: NotificationHandler<M>, options?: ListenCallOptions): Promise<Subscription>;
    listen(channel: string, options?: ListenOptions): Promise<Subscription>;
    /**
     * Has `logger` told of each query that is made on this connection, when it is over: those of its transactions and prepared
     * statements, and what starts and ends a transaction, among them. On a pool's connection it holds until that is released.
     *
     * @param logger It is called before the query's caller goes on, in his context of `AsyncLocalStorage`. What it throws is
     * an uncaught exception. Adding it again does nothing.
     */
    addQueryLogger(logger: QueryLogger): void;
    /** Takes back what `addQueryLogger` or `queryLogger` has added. One that is not there is none to be taken back. */
    removeQueryLogger(logger: QueryLogger): void;
    /** Adds a query logger for as long as what it gives is not disposed of: `using scope = connection.queryLogger(console.log)`. */
    queryLogger(logger: QueryLogger): Disposable;
    /**
     * Brings the session back to how it was when it was opened: rolls back, takes back the role, releases advisory locks,
     * closes cursors, ends LISTEN, resets the settings, drops temporary tables and statements of PREPARE, and forgets what
     * sequences gave. Prepared statements of the driver, codecs, query loggers and the listeners of `onNotice` and
     * `onTermination` stay.
     */
    reset(options?: ResetOptions): Promise<void>;
    /**
     * Gives values of a type a codec of the application's, alone and wherever they are part of other values. On a pool's
     * connection it holds until the connection is released, or for good when the pool's `init` sets it.
     *
     * @param typeName The type's name in `pg_type`: of a base type, an enum, a range or (with the format 'tuple') a
     * composite type.
     * @throws InterfaceError when there is no such type, or it is a domain, an array type or a pseudo-type.
     * @throws UnsupportedClientFeatureError when the type has no such format.
     */
    setTypeCodec<T>(typeName: string, options: TypeCodecOptions<T>): Promise<void>;
    /** Makes values of a type come and go like those of a type that the driver knows. It holds as `setTypeCodec`. */
    setBuiltinTypeCodec(typeName: string, options: BuiltinTypeCodecOptions): Promise<void>;
    /** Takes what `setTypeCodec` or `setBuiltinTypeCodec` has set back. Without any it does nothing. */
    resetTypeCodec(typeName: string, options?: TypeSchemaOptions): Promise<void>;
    /**
     * Forgets what is known of the database's types and of statements, on all connections of a pool: it is asked for again
     * when it is needed. The driver does so by itself when a server shows that a type has changed.
     */
    reloadSchemaState(): Promise<void>;
    /**
     * Closes the session once the calls in flight have ended; resolves when the server has ended it too, so that its locks
     * and its place among the server's connections are free (or has not done so within two seconds). Closing again does
     * nothing.
     *
     * @throws TimeoutError
     */
    close(options?: CloseOptions): Promise<void>;
    /**
     * Ends the session at once; calls in flight reject. What the server is at for them is cancelled in the background, as far as
     * that can be done.
     */
    terminate(): void;
    /** Keeps the process alive, even while no call is in flight. */
    ref(): this;
    /**
     * Takes `ref` back: it keeps the process alive while calls are in flight, as is the default, and by subscriptions of
     * `listen`, which have an `unref` of their own.
     */
    unref(): this;
    [Symbol.asyncDispose](): Promise<void>;
    [inspect.custom](): string;
}

/**
 * Opens a session.
 *
 * @param dsn `postgres://user:password@host:port/database?option=value`, or libpq's `key=value` pairs; the former
 * may be a URL object.
 * @throws ClientConfigurationError, TimeoutError, or a PostgresError such as InvalidPasswordError.
 */
declare function connect<M extends RowMode = 'object'>(dsn?: string | URL, options?: ConnectOptions<M>): Promise<Connection<M>>;
declare function connect<M extends RowMode = 'object'>(options?: ConnectOptions<M>): Promise<Connection<M>>;

/** A setting's value, as text: `true` is `on`, and `false` is `off`. */
type SettingValue = string | number | boolean;
/** What the calls in a context have in common. */
interface ContextOptions {
    /**
     * Settings by their names, such as `app.tenant` or `statement_timeout`. They hold for each call, or each transaction, and
     * are read by `current_setting` (PostgreSQL manual, "System Administration Functions").
     */
    settings?: Readonly<Record<string, SettingValue>> | undefined;
    /** The role that executes them, as SET LOCAL ROLE has it. The login role has to be a member of it. */
    role?: string | undefined;
}

/** What a lease is made of. */
interface PoolConnectionParts<M extends RowMode> extends ConnectionParts {
}
/**
 * A connection that a pool has lent. Once it is released, everything that came from it is dead and says so; the session
 * goes on in the pool.
 *
 * @typeParam M The row mode of calls that name none.
 */
declare class PoolConnection<M extends RowMode = 'object'> extends Connection<M> {
    #private;
    protected constructor(parts: PoolConnectionParts<M>);
    /** Whether it has been given back. */
    get isReleased(): boolean;
    /** Whether the session has ended, or was given back. */
    get isClosed(): boolean;
    /**
     * Gives it back to the pool, which rolls back an open transaction and resets the session. Calls in flight end first,
     * but an executeMany or fetchMany whose asynchronous iterable is not at its end is taken back. Resolves when the session
     * is clean: then nothing of this lease is left at the server. Releasing again does nothing.
     *
     * @throws what the pool's `reset` hook throws, or a TimeoutError when it takes longer than the acquisition was allowed
     * to, or why the session has ended before it did; the session has been closed then. What was done before stands,
     * whatever such an error says of the call of the hook that it comes from.
     */
    release(): Promise<void>;
    [inspect.custom](): string;
    [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A pool in a context: whatever is executed on it has the context's settings and role, from the first statement to the last,
 * and leaves nothing of them behind. See `withContext` of pools.
 *
 * A call that is one SELECT, INSERT or the like takes one round trip, as on the pool itself; what needs a session of its own, or
 * is anything else, is executed in a transaction.
 *
 * @typeParam M The row mode of calls that name none.
 */
declare class PoolContext<M extends RowMode = 'object'> extends QueryMethods<M> {
    #private;
    private constructor();
    /** A context with these settings and this role laid over its own. */
    withContext(options: ContextOptions): PoolContext<M>;
    /** Runs `callback` in a transaction whose settings are made right behind its BEGIN. */
    transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>;
    /** A transaction that has been started, with its settings, on a connection that goes back to the pool when it ends. */
    begin(options?: TransactionOptions): Promise<Transaction<M>>;
    [inspect.custom](): string;
}

/** A session of a pool, as its listeners are told of it: one object for as long as the session lives. */
interface PoolSession {
    /** The process id of the server's backend. */
    readonly serverPid: number;
    readonly serverVersion: ServerVersion;
}
/**
 * Why a session of a pool has ended: it was idle for `maxInactiveConnectionLifetimeMs`, it was older than `maxLifetimeMs`,
 * it had served `maxQueries`, `expireConnections()` was called, its server only reads and the pool is one for writing, what
 * a lease had left behind could not be undone, the pool was closed, or terminated, which is also what `close({ timeoutMs })`
 * does with what is still in use at its time; `'lost'` when the server or the network
 * has ended it, and `'terminated'` when the application or a hook's failure did.
 */
type PoolCloseReason = 'inactive' | 'maxLifetime' | 'maxQueries' | 'expired' | 'readOnly' | 'resetFailed' | 'poolClosed' | 'poolTerminated' | 'lost' | 'terminated';
/** How a session of a pool has ended. */
interface PoolSessionEnd {
    readonly reason: PoolCloseReason;
    /** What the server or the network has ended it with; undefined when that was the pool or the application. */
    readonly error: Error | undefined;
}

/** Options of `acquire` and `use`. */
interface AcquireOptions {
    /** Milliseconds to wait for a connection; 0 for no limit. Default: `acquireTimeoutMs` of the pool. */
    timeoutMs?: number | undefined;
    /** Ends the waiting, which rejects with the signal's reason. */
    signal?: AbortSignal | undefined;
}
/** What a pool is made of. Only the driver can make one: see `createPool`. */
interface PoolParts<M extends RowMode> {
}
/**
 * Connections for everybody. Queries can be made on the pool itself, and those that are single statements share its
 * connections; what needs a session of its own takes one by `acquire`, `use` or `transaction`.
 *
 * @typeParam M The row mode of calls that name none.
 */
declare class Pool<M extends RowMode = 'object'> extends QueryMethods<M> {
    #private;
    protected constructor(parts: PoolParts<M>);
    /** The number of connections and of calls that wait for one, now, and counters. */
    get stats(): PoolStats;
    /**
     * Leases a connection, which has to be released: `await using connection = await pool.acquire()`.
     *
     * @throws TimeoutError when none has become free, or the pool's hooks have not ended, in time.
     * @throws InterfaceError when the pool is closed; or when it is called inside one of the pool's own transactions, no
     * limit was asked for, and no connection has become free within a second.
     */
    acquire(options?: AcquireOptions): Promise<PoolConnection<M>>;
    /**
     * Gives a connection back. Giving it back again does nothing.
     *
     * @throws InterfaceError when it is not one of this pool.
     */
    release(connection: PoolConnection<M>): Promise<void>;
    /**
     * Runs `callback` with a connection that it has for itself, which is clean again when this resolves. What came of it stands:
     * a `reset` hook that fails costs the session, and is told of by a warning (`OXPG_RESET_HOOK`).
     */
    use<R>(callback: (connection: PoolConnection<M>) => R | PromiseLike<R>, options?: AcquireOptions): Promise<R>;
    /** Runs `callback` in a transaction, on a connection that it has for itself. */
    transaction<R>(callback: TransactionCallback<R, M>, options?: TransactionOptions): Promise<R>;
    /** A transaction that has been started, on a connection that goes back to the pool when it ends. */
    begin(options?: TransactionOptions): Promise<Transaction<M>>;
    /**
     * Commits a transaction that `prepareTransaction` has left, on this connection or any other, or before a crash of the server
     * (manual, "COMMIT PREPARED"). Only its owner and superusers may, in the same database, outside of a transaction.
     *
     * @throws UndefinedObjectError when there is none of this name: it has been committed or rolled back already.
     * @throws TransactionResolutionUnknownError when the connection was lost meanwhile.
     */
    commitPrepared(gid: string, options?: CallOptions): Promise<void>;
    /**
     * Rolls such a transaction back (manual, "ROLLBACK PREPARED").
     *
     * @throws UndefinedObjectError when there is none of this name.
     */
    rollbackPrepared(gid: string, options?: CallOptions): Promise<void>;
    /**
     * Listens to a channel on a connection that all subscriptions of the pool share, beside the `maxSize` others. It is opened
     * with the first subscription and closed with the last. When it is lost it is opened again, as often as it takes, and listens
     * to all channels; what was sent meanwhile is lost, of which `onGap` and iterations are told. A link that is cut off without
     * a word is found out by `listenProbeIntervalMs`. The pool's hooks do not see it.
     *
     * @param handler Called with each message, in the context of `AsyncLocalStorage` of this call. Without one the subscription
     * is an iterable of messages and gaps.
     * @throws InterfaceError when the name is none, or the pool is closed.
     * @throws what opening the connection comes to, and TimeoutError. Only once it has listened does a subscription live on
     * without a connection.
     */
    listen(channel: string, handler: PoolNotificationHandler, options?: PoolListenOptions): Promise<Subscription<Notification | NotificationGap>>;
    listen(channel: string, options?: ListenOptions): Promise<Subscription<Notification | NotificationGap>>;
    /**
     * The pool in a context: each call on it, and each transaction, has these settings and this role, and leaves nothing of them
     * behind, also through a transaction pooler. They are made in the same round trip.
     *
     * @throws ClientConfigurationError that names a setting whose name or value cannot be taken.
     * @throws UnsupportedClientFeatureError with `statementMode: 'simple'`, which has no parameters.
     */
    withContext(options: ContextOptions): PoolContext<M>;
    /** Replaces all connections: the idle ones now, the others when they come back, or are open; that of `listen` stays. */
    expireConnections(): void;
    /**
     * Calls `listener` with each notice and warning that the server sends on any of the pool's sessions, whoever uses it. What
     * was said at the startup and nobody has heard yet is told soon after.
     *
     * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
     * @returns A function that ends it.
     */
    onNotice(listener: (message: PostgresLogMessage, session: PoolSession) => void): () => void;
    /**
     * Calls `listener` with each session that the pool opens; soon after, also with those that are open already.
     *
     * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
     * @returns A function that ends it.
     */
    onConnect(listener: (session: PoolSession) => void): () => void;
    /**
     * Calls `listener` with each session of the pool that has ended, and why.
     *
     * @param listener What it throws is an uncaught exception, which ends the process unless `uncaughtException` is listened to.
     * @returns A function that ends it.
     */
    onClose(listener: (session: PoolSession, end: PoolSessionEnd) => void): () => void;
    /**
     * Has `logger` told of each query that is made on this pool or on its connections, when it is over: those of transactions and
     * prepared statements, and what starts and ends a transaction, among them.
     *
     * @param logger It is called before the query's caller goes on, in his context of `AsyncLocalStorage`. What it throws is
     * an uncaught exception. Adding it again does nothing.
     */
    addQueryLogger(logger: QueryLogger): void;
    /** Takes back what `addQueryLogger` or `queryLogger` has added. One that is not there is none to be taken back. */
    removeQueryLogger(logger: QueryLogger): void;
    /** Adds a query logger for as long as what it gives is not disposed of: `using scope = pool.queryLogger(console.log)`. */
    queryLogger(logger: QueryLogger): Disposable;
    /**
     * Lets all calls end that were made before, those that wait for a connection among them, waits until all connections are
     * back, and closes them; resolves when the server has ended their sessions too, as `close` of a connection. Nothing new is
     * accepted, and subscriptions of `listen` end. After a minute a warning of the process (`OXPG_CLOSE_WAITS`) says who has not released what. At the timeout the
     * pool is terminated.
     *
     * @throws TimeoutError, which names them as well.
     */
    close(options?: CloseOptions): Promise<void>;
    /**
     * Ends all connections at once; calls in flight reject. A callback of `use` or `transaction` cannot be stopped: its next
     * call rejects, and so does `transaction` when it returns. What the server is at is cancelled in the background, as far as
     * that can be done.
     */
    terminate(): void;
    [Symbol.asyncDispose](): Promise<void>;
    [inspect.custom](): string;
}

/** Something the pool does with a connection; the pool waits for what it returns. */
type PoolHook<M extends RowMode = 'object'> = (connection: PoolConnection<M>) => unknown;
/**
 * How a pool keeps its connections, and how they are made.
 *
 * @typeParam M The row mode of the pool and its connections.
 */
interface PoolOptions<M extends RowMode = 'object'> extends ConnectOptions<M> {
    /** Connections that are kept open, and opened before `createPool` resolves. Default 1. */
    minSize?: number | undefined;
    /** Default 10. */
    maxSize?: number | undefined;
    /** Queries after which a connection is replaced; 0 for no limit. Default 50 000. */
    maxQueries?: number | undefined;
    /** Milliseconds after which an idle connection is closed; 0 for no limit. Default 300 000. */
    maxInactiveConnectionLifetimeMs?: number | undefined;
    /** Milliseconds, ±2.5 %, after which a connection is replaced; 0, the default, for no limit. */
    maxLifetimeMs?: number | undefined;
    /** Milliseconds that a call may wait for a connection; 0 for no limit. Default 30 000. */
    acquireTimeoutMs?: number | undefined;
    /**
     * Milliseconds after which a warning of the process (`OXPG_LEASE_HELD`) tells of a lease that was not released, with the
     * stack of the call that it came from. 0, the default, for never; it costs a stack for each lease.
     */
    leakDetectionMs?: number | undefined;
    /**
     * Milliseconds between two questions to the connection of `listen` whether it is still there and listens; 0 for none. It has
     * to answer within the same time, and within 10 000, or it is replaced: a link that is cut off without a word is found out
     * within 40 seconds. Default 30 000.
     */
    listenProbeIntervalMs?: number | undefined;
    /**
     * Whether calls on the pool itself may share a connection, if each is a single statement such as SELECT or INSERT.
     * Default true. With false each has one for itself, which is reset afterwards.
     */
    shareConnections?: boolean | undefined;
    /**
     * Whether calls on the pool that are made inside a transaction callback of one of its connections (of `transaction` of the
     * pool, or of a connection that it has lent) join that transaction, found by AsyncLocalStorage: queries run in it, and
     * `transaction` and `begin` are savepoints. A call in what such a callback has set going, after the transaction's end, is an
     * InterfaceError. `acquire` and `use` give a connection outside of it, and `listen` has its own. Default false.
     */
    ambientTransactions?: boolean | undefined;
    /**
     * Called once with each connection, before its first use. With any of the three hooks each call on the pool itself
     * leases a connection.
     */
    init?: PoolHook<M> | undefined;
    /** Called with a connection each time it is acquired. */
    setup?: PoolHook<M> | undefined;
    /**
     * Called before a connection goes back; then the pool resets the session. It has the session under an object of its
     * own, since what was leased is released by then; releasing that one does nothing.
     */
    reset?: PoolHook<M> | undefined;
}

/**
 * Opens a pool of connections, `minSize` of them at once.
 *
 * @param dsn `postgres://user:password@host:port/database?option=value`, or libpq's `key=value` pairs; the former
 * may be a URL object.
 * @throws ClientConfigurationError, TimeoutError, or a PostgresError such as InvalidPasswordError.
 */
declare function createPool<M extends RowMode = 'object'>(dsn?: string | URL, options?: PoolOptions<M>): Promise<Pool<M>>;
declare function createPool<M extends RowMode = 'object'>(options?: PoolOptions<M>): Promise<Pool<M>>;

/** A server that `connect` would try. */
interface DsnHost {
    /** A name, an address, or the folder of a Unix socket. */
    readonly host: string;
    readonly port: number;
    /** The address that is taken in place of looking the name up. */
    readonly hostaddr?: string;
    /** The Unix socket itself. */
    readonly path?: string;
}
/** What `connect` and `createPool` would use. Passwords are not among it. */
interface ParsedDsn {
    /** In the order in which they are tried, if `load_balance_hosts` is not `'random'`. Usual Unix sockets, which are there when no host is named, are tried only if they exist. */
    readonly hosts: readonly DsnHost[];
    readonly user: string;
    readonly database: string;
    /** Whether there is a password; one of a password file counts if the file has a line for one of the hosts. */
    readonly hasPassword: boolean;
    /** Milliseconds, 0 for no limit. */
    readonly connectTimeoutMs: number;
    /** Server settings that the session starts with, by their names. */
    readonly serverSettings: Readonly<Record<string, string>>;
    /**
     * Everything else that is said, by libpq's keywords (`sslmode`, `target_session_attrs` …) and as libpq would write it;
     * null for what is secret.
     */
    readonly keywords: Readonly<Record<string, string | null>>;
    /**
     * Where the values come from, by their names here, by keyword, or as `serverSettings.` and the name: `option host`,
     * `dsn`, `service shop of /home/ann/.pg_service.conf`, `PGHOST`, `password file /home/ann/.pgpass` or `default`.
     */
    readonly sources: Readonly<Record<string, string>>;
    /** What else there is to know, such as why a password file is not used. */
    readonly remarks: readonly string[];
}
/**
 * Says what `connect` and `createPool` would use with these arguments, and where each value comes from. The environment is
 * read, and so are the service file and the password file if they are used. Nothing is connected to.
 *
 * @param dsn As `connect` takes it.
 * @throws ClientConfigurationError, or UnsupportedClientFeatureError when it asks for what this driver does not do.
 */
declare function parseDsn(dsn?: string | URL, options?: ConnectOptions<RowMode>): ParsedDsn;
declare function parseDsn(options?: ConnectOptions<RowMode>): ParsedDsn;

/**
 * A value of `bit` or `bit varying` (manual, section 8.10, Bit String Types): bits in the order in which PostgreSQL
 * writes them, the most significant one first.
 */
declare class BitString {
    /** The bits as digits, such as `'0101'`. */
    readonly digits: string;
    /**
     * @param digits Zeros and ones; the empty string is the empty bit string.
     * @throws TypeError when it is not a string, RangeError when it has other characters.
     */
    constructor(digits: string);
    /**
     * The bits of bytes, of each the most significant first, as PostgreSQL sends them.
     *
     * @param length How many bits to take; by default all, 8 a byte.
     * @throws TypeError when `bytes` is not a Uint8Array (such as a Buffer), RangeError when it has fewer bits.
     */
    static fromBytes(bytes: Uint8Array, length?: number): BitString;
    /**
     * The binary digits of an integer that is not negative, with zeros before them.
     *
     * @param length How many bits the bit string is to have.
     * @throws TypeError when `value` is not a bigint, RangeError when it is negative or needs more bits.
     */
    static fromBigInt(value: bigint, length: number): BitString;
    /** How many bits there are. */
    get length(): number;
    /** The bit at an index, from 0 for the first one, or from the end when negative; undefined where there is none. */
    at(index: number): 0 | 1 | undefined;
    /** The bits, one by one. */
    [Symbol.iterator](): IterableIterator<0 | 1>;
    /** The bits in bytes, of each the most significant first; the last byte is filled up with zeros. */
    toBytes(): Buffer;
    /** The bits as an integer that is not negative; 0 for the empty bit string. */
    toBigInt(): bigint;
    /** Whether `other` is a BitString of the same bits; `0101` and `101` are not the same. */
    equals(other: unknown): boolean;
    /** The digits, as PostgreSQL reads and writes them. */
    toString(): string;
    /** The digits. */
    toJSON(): string;
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}

/** A point as arguments may give it. */
type PointLike = Point | readonly [x: number, y: number] | {
    readonly x: number;
    readonly y: number;
};
/**
 * A value of `point` (manual, section 8.8, Geometric Types). Coordinates may be ±Infinity and NaN; JSON has null for
 * those.
 */
declare class Point {
    readonly x: number;
    readonly y: number;
    /** @throws TypeError when a coordinate is not a number. */
    constructor(x: number, y: number);
    /** Whether `other` is a Point with the same coordinates, exactly. PostgreSQL's `~=` lets them differ by 1e-6. */
    equals(other: unknown): boolean;
    /** PostgreSQL's text: `(1,2)`. */
    toString(): string;
    toJSON(): {
        x: number;
        y: number;
    };
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}

/** A value of `line`, which has no ends: all points where `a·x + b·y + c = 0` (manual, section 8.8.2, Lines). */
declare class Line {
    readonly a: number;
    readonly b: number;
    readonly c: number;
    /** @throws TypeError when one of the three is not a number, RangeError when a and b are both 0. */
    constructor(a: number, b: number, c: number);
    /** Whether `other` is a Line of the same three numbers. PostgreSQL's `=` also takes their multiples. */
    equals(other: unknown): boolean;
    /** PostgreSQL's text: `{1,2,3}`. */
    toString(): string;
    toJSON(): {
        a: number;
        b: number;
        c: number;
    };
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}
/** A value of `lseg`, a line between two points (manual, section 8.8.3, Line Segments). */
declare class LineSegment {
    readonly start: Point;
    readonly end: Point;
    /** @throws TypeError when one of the two is not a point. */
    constructor(start: PointLike, end: PointLike);
    /** Whether `other` is a LineSegment from the same point to the same point. */
    equals(other: unknown): boolean;
    /** PostgreSQL's text: `[(1,2),(3,4)]`. */
    toString(): string;
    toJSON(): {
        start: {
            x: number;
            y: number;
        };
        end: {
            x: number;
            y: number;
        };
    };
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}
/** A value of `box`, a rectangle along the axes (manual, section 8.8.4, Boxes). */
declare class Box {
    /** The upper right corner. */
    readonly high: Point;
    /** The lower left corner. */
    readonly low: Point;
    /**
     * Takes any two opposite corners, and keeps the upper right and the lower left one as PostgreSQL does (`box_in` in
     * geo_ops.c).
     *
     * @throws TypeError when one of the two is not a point.
     */
    constructor(high: PointLike, low: PointLike);
    /** Whether `other` is a Box of the same corners. PostgreSQL's `~=` means that; its `=` compares areas. */
    equals(other: unknown): boolean;
    /** PostgreSQL's text: `(3,4),(1,2)`. */
    toString(): string;
    toJSON(): {
        high: {
            x: number;
            y: number;
        };
        low: {
            x: number;
            y: number;
        };
    };
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}
/** A value of `path`, points that lines connect (manual, section 8.8.5, Paths). */
declare class Path {
    /** At least one; the array is frozen. */
    readonly points: readonly Point[];
    /** Whether a line leads from the last point back to the first. */
    readonly isClosed: boolean;
    /**
     * @param isClosed Default false.
     * @throws TypeError when `points` is not an array of points or `isClosed` not a boolean, RangeError without points.
     */
    constructor(points: readonly PointLike[], isClosed?: boolean);
    /** Whether `other` is a Path of the same points in order, and closed or open alike. PostgreSQL's `=` counts points. */
    equals(other: unknown): boolean;
    /** PostgreSQL's text: `[(1,2),(3,4)]` for an open path, `((1,2),(3,4))` for a closed one. */
    toString(): string;
    toJSON(): {
        points: {
            x: number;
            y: number;
        }[];
        isClosed: boolean;
    };
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}
/** A value of `polygon`, the area within a closed path (manual, section 8.8.6, Polygons). */
declare class Polygon {
    /** At least one; the array is frozen. */
    readonly points: readonly Point[];
    /** @throws TypeError when `points` is not an array of points, RangeError when it is empty. */
    constructor(points: readonly PointLike[]);
    /** Whether `other` is a Polygon of the same points in order. PostgreSQL's `~=` lets it begin at another point. */
    equals(other: unknown): boolean;
    /** PostgreSQL's text: `((1,2),(3,4),(5,0))`. */
    toString(): string;
    toJSON(): {
        points: {
            x: number;
            y: number;
        }[];
    };
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}
/** A value of `circle` (manual, section 8.8.7, Circles). */
declare class Circle {
    readonly center: Point;
    /** Not negative; may be Infinity or NaN. */
    readonly radius: number;
    /** @throws TypeError when `center` is not a point or `radius` not a number, RangeError when that is negative. */
    constructor(center: PointLike, radius: number);
    /** Whether `other` is a Circle of the same centre and radius. PostgreSQL's `~=` means that; its `=` compares areas. */
    equals(other: unknown): boolean;
    /** PostgreSQL's text: `<(1,2),3>`. */
    toString(): string;
    toJSON(): {
        center: {
            x: number;
            y: number;
        };
        radius: number;
    };
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}

/**
 * What an {@link Interval} is made of. All fields are added up; each may be negative, and is 0 when left out. They are
 * whole, but for seconds and milliseconds, which may have decimal places down to a microsecond.
 */
interface IntervalFields {
    /** 12 months each. */
    readonly years?: number | undefined;
    readonly months?: number | undefined;
    /** 7 days each. */
    readonly weeks?: number | undefined;
    readonly days?: number | undefined;
    readonly hours?: number | bigint | undefined;
    readonly minutes?: number | bigint | undefined;
    readonly seconds?: number | bigint | undefined;
    readonly milliseconds?: number | bigint | undefined;
    readonly microseconds?: number | bigint | undefined;
}
/**
 * A value of PostgreSQL's `interval`: months, days and microseconds, each with its own sign. The three are kept apart,
 * since months differ in length, and days do where clocks change (manual, section 8.5.4, Interval Input).
 *
 * `infinity` and `-infinity`, which PostgreSQL has since version 17, are the intervals with the greatest and the least
 * of all three; see {@link Interval.isFinite}.
 */
declare class Interval {
    /** Whole months, years included: a 32-bit integer. */
    readonly months: number;
    /** Whole days, weeks included: a 32-bit integer. */
    readonly days: number;
    /** Microseconds: a number while that is a safe integer, else a bigint of 64 bits. */
    readonly microseconds: number | bigint;
    /**
     * @throws TypeError for a field that there is not, or one that is not a number (or bigint).
     * @throws RangeError for a fraction that would be lost, and for more than `interval` holds.
     */
    constructor(fields?: IntervalFields);
    /**
     * Reads the ISO 8601 form that {@link Interval.toString} writes: `P1Y2M3DT4H5M6.789S`, with a sign on any part or
     * before the P, weeks, up to six decimal places of seconds; and `infinity`.
     *
     * @throws TypeError when `text` is not a string.
     * @throws RangeError when it has another form or is more than `interval` holds.
     */
    static parse(text: string): Interval;
    /**
     * Orders two intervals as PostgreSQL does, with days of 24 hours and months of 30 days: negative, 0 or positive, for
     * `Array.prototype.sort`. 0 does not mean that they are the same: see {@link Interval.equals}.
     *
     * @throws TypeError when one of them is not an Interval.
     */
    static compare(one: Interval, other: Interval): number;
    /** False for `infinity` and `-infinity`. */
    get isFinite(): boolean;
    /**
     * Whether `other` is an Interval with the same months, days and microseconds. PostgreSQL's `=` goes by
     * {@link Interval.compare}: there 1 month, 30 days and 720 hours are equal; here they are not.
     */
    equals(other: unknown): boolean;
    /**
     * ISO 8601 as PostgreSQL writes it with `intervalstyle = iso_8601` (`EncodeInterval` in datetime.c):
     * `P1Y2M3DT4H5M6.789S`, a sign on each part (`P-1Y-2M3DT-4H`), `PT0S` for nothing. PostgreSQL reads it whatever
     * `intervalstyle` is.
     */
    toString(): string;
    /** The text of {@link Interval.toString}. */
    toJSON(): string;
    [inspect.custom](_depth: number, options: InspectOptionsStylized): string;
}

/** A value to be written as JSON, whatever it is; made by {@link json}. */
declare class JsonValue {
    /** The value as it was given. */
    readonly value: unknown;
    constructor(value: unknown);
    /** Within other JSON the mark means nothing. */
    toJSON(): unknown;
}
/**
 * Marks a parameter to be encoded with `JSON.stringify`, strings and null included. Without the mark a string is
 * taken as JSON text, null as SQL NULL, and an array that is given for a `json[]` as the array of its elements.
 */
declare function json(value: unknown): JsonValue;

/** Which bounds belong to a {@link Range}. */
interface RangeOptions {
    /** Whether the lower bound is in the range. Default true. */
    readonly lowerInclusive?: boolean | undefined;
    /** Whether the upper bound is in the range. Default false. */
    readonly upperInclusive?: boolean | undefined;
    /** With true the range holds nothing, whatever the bounds say. Default false. */
    readonly isEmpty?: boolean | undefined;
}
/**
 * A value of a range type, such as `int4range` or `tstzrange` (manual, section 8.17, Range Types). A multirange is an
 * array of them.
 *
 * It is kept as it was made. PostgreSQL, when it gets it, refuses a lower bound above the upper one, gives `int4range`,
 * `int8range` and `daterange` the form `[)`, and makes a range such as `[1,1)` the empty one.
 *
 * @typeParam T What the bounds are: the JavaScript type of the range's subtype.
 */
declare class Range<T> {
    /** Null when the range has no lower bound, or is empty. */
    readonly lower: T | null;
    /** Null when the range has no upper bound, or is empty. */
    readonly upper: T | null;
    /** Whether the lower bound is in the range; false when there is none. */
    readonly lowerInclusive: boolean;
    /** Whether the upper bound is in the range; false when there is none. */
    readonly upperInclusive: boolean;
    /** Whether the range is the one that holds nothing. */
    readonly isEmpty: boolean;
    /**
     * @param lower Null or left out: the range goes down without end.
     * @param upper Null or left out: the range goes up without end.
     * @throws TypeError when an option is not a boolean, or a bound is an invalid Date.
     */
    constructor(lower?: T | null, upper?: T | null, options?: RangeOptions);
    /** The range that holds nothing. */
    static empty<T = never>(): Range<T>;
    /** Whether the range goes down without end. False for a lower bound of -Infinity, which dates have. */
    get isLowerInfinite(): boolean;
    /** Whether the range goes up without end. False for an upper bound of Infinity, which dates have. */
    get isUpperInfinite(): boolean;
    /**
     * Whether a value is in the range: PostgreSQL's `@>`.
     *
     * Numbers, bigints and strings of decimal digits are compared by their exact value; strings of dates and timestamps in
     * PostgreSQL's form by time, other strings by their code units and not by a collation; objects by the static
     * `compare` of their class (Temporal, Interval, Buffer) or by `valueOf` (Date, decimals).
     *
     * @throws TypeError when the value cannot be compared with the bounds.
     */
    contains(value: T): boolean;
    /**
     * Whether everything in this range is in the other one: PostgreSQL's `<@`. Compares as {@link Range.contains} does.
     *
     * @throws TypeError when `other` is not a Range, or the bounds cannot be compared.
     */
    isSubsetOf(other: Range<T>): boolean;
    /**
     * Whether everything in the other range is in this one: PostgreSQL's `@>`.
     *
     * @throws TypeError when `other` is not a Range, or the bounds cannot be compared.
     */
    isSupersetOf(other: Range<T>): boolean;
    /**
     * Whether `other` is a Range of the same form: equal bounds, which belong to it or not alike. `[1,5]` and `[1,6)` of
     * integers are not equal here; PostgreSQL gives both as `[1,6)`. Numbers and bigints are equal by value, Dates by
     * time, objects by their own `equals`, strings when they are the same text.
     */
    equals(other: unknown): boolean;
    /**
     * PostgreSQL's text (`range_out` in rangetypes.c): `[1,5)`, `(,"a b"]`, `empty`. Bounds are their `toString()`, Dates
     * in ISO 8601, bytes in hex.
     */
    toString(): string;
    /** The fields, which the constructor takes back; bigints are numbers where that is exact, else digit strings. */
    toJSON(): {
        lower: unknown;
        upper: unknown;
        lowerInclusive: boolean;
        upperInclusive: boolean;
        isEmpty: boolean;
    };
    [inspect.custom](depth: number, options: InspectOptionsStylized): string;
}

export { ActiveSQLTransactionError, AdminShutdownError, AmbiguousAliasError, AmbiguousColumnError, AmbiguousFunctionError, AmbiguousParameterError, ArraySubscriptError, AssertError, BadCopyFileFormatError, BitString, Box, BranchTransactionAlreadyActiveError, CannotCoerceError, CannotConnectNowError, CantChangeRuntimeParamError, CardinalityViolationError, CaseNotFoundError, CharacterNotInRepertoireError, CheckViolationError, Circle, ClientCannotConnectError, ClientConfigurationError, CollationMismatchError, ConfigFileError, ConfigurationLimitExceededError, Connection, ConnectionDoesNotExistError, ConnectionFailureError, ConnectionRejectionError, ContainingSQLNotPermittedError, CrashShutdownError, Cursor, CursorFactory, DataCorruptedError, DataError, DatabaseDroppedError, DatatypeMismatchError, DatetimeFieldOverflowError, DeadlockDetectedError, DependentObjectsStillExistError, DependentPrivilegeDescriptorsStillExistError, DeprecatedFeature, DiagnosticsError, DiskFullError, DivisionByZeroError, DuplicateAliasError, DuplicateColumnError, DuplicateCursorError, DuplicateDatabaseError, DuplicateFileError, DuplicateFunctionError, DuplicateJsonObjectKeyValueError, DuplicateObjectError, DuplicatePreparedStatementError, DuplicateSchemaError, DuplicateTableError, DynamicResultSetsReturned, ErrorInAssignmentError, EscapeCharacterConflictError, EventTriggerProtocolViolatedError, ExclusionViolationError, ExternalRoutineError, ExternalRoutineInvocationError, FDWColumnNameNotFoundError, FDWDynamicParameterValueNeededError, FDWError, FDWFunctionSequenceError, FDWInconsistentDescriptorInformationError, FDWInvalidAttributeValueError, FDWInvalidColumnNameError, FDWInvalidColumnNumberError, FDWInvalidDataTypeDescriptorsError, FDWInvalidDataTypeError, FDWInvalidDescriptorFieldIdentifierError, FDWInvalidHandleError, FDWInvalidOptionIndexError, FDWInvalidOptionNameError, FDWInvalidStringFormatError, FDWInvalidStringLengthOrBufferLengthError, FDWInvalidUseOfNullPointerError, FDWNoSchemasError, FDWOptionNameNotFoundError, FDWOutOfMemoryError, FDWReplyHandleError, FDWSchemaNotFoundError, FDWTableNotFoundError, FDWTooManyHandlesError, FDWUnableToCreateExecutionError, FDWUnableToCreateReplyError, FDWUnableToEstablishConnectionError, FatalPostgresError, FeatureNotSupportedError, FileNameTooLongError, ForeignKeyViolationError, FunctionExecutedNoReturnStatementError, GeneratedAlwaysError, GroupingError, HeldCursorRequiresSameIsolationLevelError, IdleInTransactionSessionTimeoutError, IdleSessionTimeoutError, ImplicitZeroBitPadding, InFailedSQLTransactionError, InappropriateAccessModeForBranchTransactionError, InappropriateIsolationLevelForBranchTransactionError, IndeterminateCollationError, IndeterminateDatatypeError, IndexCorruptedError, IndicatorOverflowError, InsufficientPrivilegeError, InsufficientResourcesError, IntegrityConstraintViolationError, InterfaceError, InternalClientError, InternalServerError, Interval, IntervalFieldOverflowError, InvalidArgumentForLogarithmError, InvalidArgumentForNthValueFunctionError, InvalidArgumentForNtileFunctionError, InvalidArgumentForPowerFunctionError, InvalidArgumentForSQLJsonDatetimeFunctionError, InvalidArgumentForWidthBucketFunctionError, InvalidArgumentForXqueryError, InvalidAuthorizationSpecificationError, InvalidBinaryRepresentationError, InvalidCachedStatementError, InvalidCatalogNameError, InvalidCharacterValueForCastError, InvalidColumnDefinitionError, InvalidColumnReferenceError, InvalidCursorDefinitionError, InvalidCursorNameError, InvalidCursorStateError, InvalidDatabaseDefinitionError, InvalidDatetimeFormatError, InvalidEscapeCharacterError, InvalidEscapeOctetError, InvalidEscapeSequenceError, InvalidForeignKeyError, InvalidFunctionDefinitionError, InvalidGrantOperationError, InvalidGrantorError, InvalidIndicatorParameterValueError, InvalidJsonTextError, InvalidLocatorSpecificationError, InvalidNameError, InvalidObjectDefinitionError, InvalidParameterValueError, InvalidPasswordError, InvalidPrecedingOrFollowingSizeError, InvalidPreparedStatementDefinitionError, InvalidRecursionError, InvalidRegularExpressionError, InvalidRoleSpecificationError, InvalidRowCountInLimitClauseError, InvalidRowCountInResultOffsetClauseError, InvalidSQLJsonSubscriptError, InvalidSQLStatementNameError, InvalidSavepointSpecificationError, InvalidSchemaDefinitionError, InvalidSchemaNameError, InvalidSqlstateReturnedError, InvalidTableDefinitionError, InvalidTablesampleArgumentError, InvalidTablesampleRepeatError, InvalidTextRepresentationError, InvalidTimeZoneDisplacementValueError, InvalidTransactionInitiationError, InvalidTransactionStateError, InvalidTransactionTerminationError, InvalidUseOfEscapeCharacterError, InvalidXmlCommentError, InvalidXmlContentError, InvalidXmlDocumentError, InvalidXmlProcessingInstructionError, JsonValue, Line, LineSegment, LocatorError, LockFileExistsError, LockNotAvailableError, LoggedQuery, ModifyingExternalRoutineSQLDataNotPermittedError, ModifyingSQLDataNotPermittedError, MoreThanOneSQLJsonItemError, MostSpecificTypeMismatchError, NameTooLongError, NoActiveSQLTransactionError, NoActiveSQLTransactionForBranchTransactionError, NoAdditionalDynamicResultSetsReturned, NoData, NoDataFoundError, NoSQLJsonItemError, NonNumericSQLJsonItemError, NonUniqueKeysInAJsonObjectError, NonstandardUseOfEscapeCharacterError, NotAnXmlDocumentError, NotNullViolationError, NullValueEliminatedInSetFunction, NullValueInExternalRoutineNotAllowedError, NullValueNoIndicatorParameterError, NullValueNotAllowedError, NumericValueOutOfRangeError, ObjectInUseError, ObjectNotInPrerequisiteStateError, OperatorInterventionError, OutOfMemoryError, OutdatedSchemaCacheError, PLPGSQLError, Path, Point, Polygon, Pool, PoolConnection, PoolContext, PostgresConnectionError, PostgresError, PostgresFloatingPointError, PostgresIOError, PostgresLogMessage, PostgresSyntaxError, PostgresSystemError, PostgresWarning, PreparedStatement, PrivilegeNotGranted, PrivilegeNotRevoked, ProgramLimitExceededError, ProhibitedExternalRoutineSQLStatementAttemptedError, ProhibitedSQLStatementAttemptedError, ProtocolError, ProtocolViolationError, QueryCanceledError, RaiseError, Range, ReadOnlySQLTransactionError, ReadingExternalRoutineSQLDataNotPermittedError, ReadingSQLDataNotPermittedError, Row as Record, ReservedNameError, RestrictViolationError, Row, RowStream, SQLJsonArrayNotFoundError, SQLJsonItemCannotBeCastToTargetTypeError, SQLJsonMemberNotFoundError, SQLJsonNumberNotFoundError, SQLJsonObjectNotFoundError, SQLJsonScalarRequiredError, SQLRoutineError, SQLStatementNotYetCompleteError, SavepointError, SchemaAndDataStatementMixingNotSupportedError, SequenceGeneratorLimitExceededError, SerializationError, SingletonSQLJsonItemRequiredError, SnapshotTooOldError, Sql, SrfProtocolViolatedError, StackedDiagnosticsAccessedWithoutActiveHandlerError, StatementCompletionUnknownError, StatementTooComplexError, StringDataLengthMismatchError, StringDataRightTruncation, StringDataRightTruncationError, Subscription, SubstringError, SyntaxOrAccessError, TargetServerAttributeNotMatched, TimeoutError, TooManyArgumentsError, TooManyColumnsError, TooManyConnectionsError, TooManyJsonArrayElementsError, TooManyJsonObjectMembersError, TooManyRowsError, Transaction, TransactionIntegrityConstraintViolationError, TransactionResolutionUnknownError, TransactionRollbackError, TransactionTimeoutError, TriggerProtocolViolatedError, TriggeredActionError, TriggeredDataChangeViolationError, TrimError, UndefinedColumnError, UndefinedFileError, UndefinedFunctionError, UndefinedObjectError, UndefinedParameterError, UndefinedTableError, UniqueViolationError, UnknownPostgresError, UnsafeNewEnumValueUsageError, UnsupportedClientFeatureError, UnsupportedServerFeatureError, UnterminatedCStringError, UntranslatableCharacterError, WindowingError, WithCheckOptionViolationError, WrongObjectTypeError, ZeroLengthCharacterStringError, connect, createPool, json, parseDsn, sql };
export type { AcquireOptions, AcquireTrace, ArrayMode, Attribute, BatchRows, BatchStatement, BatchStatements, BinaryTypeCodec, BuiltinTypeCodecOptions, CallOptions, ClientErrorFields, CloseOptions, CodecFormat, ConnectOptions, ConnectTrace, ContextOptions, CursorOptions, DsnHost, ExplainOptions, FetchOptions, FetchValOptions, IntervalFields, IsolationLevel, ListenCallOptions, ListenOptions, LoggedQueryKind, NamedTypeCodec, Notification, NotificationGap, NotificationHandler, ObjectMode, Parameters, ParametersList, ParsedDsn, Password, Pem, PointLike, PoolCloseReason, PoolHolder, PoolHook, PoolListenOptions, PoolNotificationHandler, PoolOptions, PoolSession, PoolSessionEnd, PoolStats, PostgresErrorFields, Query, QueryLogger, QueryResult, QueryTagValues, Queryable, RangeOptions, RecordMode, ReleaseMessage, ResetOptions, ResultMapping, RowMode, RowOf, RowTypes, ServerMessageFields, ServerPlace, ServerVersion, SettingValue, SqlColumns, SqlTag, SslOptions, StreamOptions, TemporalNamespace, TextParser, TextTypeCodec, TransactionCallback, TransactionOptions, TupleTypeCodec, Type, TypeCodecOptions, TypeSchemaOptions, UnknownRow };

export * as default from './index.js'
